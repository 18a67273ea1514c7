// Says which modules a function may import. Everything it needs is fetched at deploy and locked into the version,
// so only npm packages and Node's own modules are left, minus those that no function can use.

import { builtinModules } from "node:module";

export type ImportVerdict =
  | { kind: "npm"; packageName: string }
  | { kind: "node"; module: string }
  | { kind: "refused"; reason: string; message: string; remediation: string };

const builtins: ReadonlySet<string> = new Set([
  ...builtinModules.filter((name) => !name.startsWith("_")),
  ...["sqlite", "test", "sea", "test/reporters"],
]);

/** Modules that need what a function never has: processes, threads it may start, files, the debugger. */
const uselessInFunctions: Readonly<Record<string, string>> = {
  child_process: "a function cannot start processes",
  cluster: "a function cannot start processes",
  worker_threads: "a function cannot start threads",
  repl: "a function has no terminal",
  inspector: "a function cannot be debugged from inside",
  "inspector/promises": "a function cannot be debugged from inside",
  sqlite: "a function has no files; its database is ctx.db",
  wasi: "a function has no files or processes to offer a WASI program",
  v8: "a function cannot change or read the engine it runs on",
  test: "a function runs no tests",
  "test/reporters": "a function runs no tests",
  sea: "a function is not an executable",
  trace_events: "a function cannot be traced from inside",
};

const npmSpecifier = /^npm:\/?((?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*)(@[^/\s?#\\]+)?(\/[^\s?#\\]*)?$/i;

/** Judges one specifier as it stands in the code. */
export function judgeSpecifier(specifier: string): ImportVerdict {
  if (specifier.startsWith("npm:")) return judgeNpm(specifier);
  if (specifier.startsWith("node:")) return judgeNode(specifier.slice("node:".length), specifier);
  if (builtins.has(specifier)) return judgeNode(specifier, specifier);
  if (/^\.{0,2}\/|^\.{1,2}$|^\\/.test(specifier)) {
    return refused("relative_import", specifier, "a function is one file and has no others beside it", {
      remediation: "Put the code into this file, or publish it to npm and import it as `npm:<package>`.",
    });
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(specifier)?.[1]?.toLowerCase();
  switch (scheme) {
    case "http":
    case "https":
      return refused("remote_import", specifier, "modules are not loaded from URLs", {
        remediation: "Use the package from npm: `npm:<package>@<version>`.",
      });
    case "jsr":
      return refused("jsr_import", specifier, "JSR packages are not supported", {
        remediation: "Use a package from npm: `npm:<package>@<version>`.",
      });
    case "file":
      return refused("file_import", specifier, "a function has no files", {
        remediation: "Put the code into this file.",
      });
    case "data":
    case "blob":
      return refused("inline_import", specifier, `modules are not loaded from ${scheme}: URLs`, {
        remediation: "Put the code into this file.",
      });
    case undefined:
      return refused("bare_import", specifier, "it does not say where the package comes from", {
        remediation: bareRemediation(specifier),
      });
    default:
      return refused("unknown_import", specifier, `"${scheme}:" is not a place that modules come from`, {
        remediation: "Use `npm:<package>` or `node:<module>`.",
      });
  }
}

function judgeNpm(specifier: string): ImportVerdict {
  const match = npmSpecifier.exec(specifier);
  const path = match?.[3] ?? "";
  if (match?.[1] === undefined || /(^|\/)\.{1,2}(\/|$)|%/.test(path)) {
    return refused(
      "bad_npm_import",
      specifier,
      "it is not a package name with an optional version and path",
      {
        remediation: "Write `npm:<package>`, `npm:<package>@<version>` or `npm:<package>@<version>/<path>`.",
      },
    );
  }
  return { kind: "npm", packageName: match[1] };
}

function judgeNode(module: string, specifier: string): ImportVerdict {
  if (!builtins.has(module)) {
    return refused("unknown_node_module", specifier, "Node has no such module", {
      remediation: "Use one of Node's modules, or `npm:<package>` for a package.",
    });
  }
  const why = Object.hasOwn(uselessInFunctions, module) ? uselessInFunctions[module] : undefined;
  if (why === undefined) return { kind: "node", module };
  return refused("node_module_unavailable", specifier, why, {
    remediation: `Leave "${specifier}" out.`,
  });
}

function bareRemediation(specifier: string): string {
  const asNpm = `npm:${specifier}`;
  return npmSpecifier.test(asNpm) ? `Use \`${asNpm}\`.` : "Use `npm:<package>` or `node:<module>`.";
}

function refused(
  reason: string,
  specifier: string,
  why: string,
  { remediation }: { remediation: string },
): ImportVerdict {
  return { kind: "refused", reason, message: `import of ${JSON.stringify(specifier)}: ${why}`, remediation };
}
