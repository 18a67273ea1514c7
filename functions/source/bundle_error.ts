// Turns what the bundler says into an error that speaks of the developer's code. Its own positions are those of
// compiled code and its texts name the server's folders, so the place is found again by the import that it quotes.

import { AppError } from "../../core/errors.ts";
import { type BundleMessage } from "./bundle_process.ts";
import { type ImportSite } from "./find_imports.ts";
import { sourceError } from "./source_position.ts";

/** What was found out about a package that the bundler could not have. */
export type PackageFate =
  | { kind: "missing" }
  | { kind: "unreachable" }
  /** It, or a package below it, depends on something that is not of npm, such as a URL. */
  | { kind: "outside_npm"; dependency: string };

/** The package and version in "Could not find constraint 'zod@99.0.0' in the list of packages.", if it says that. */
export function missingConstraint(errors: readonly BundleMessage[]): string | null {
  for (const { text } of errors) {
    const found = /^Could not find constraint '([^'\s]+)'/.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return null;
}

export interface BundleFailure {
  readonly code: string;
  readonly imports: readonly ImportSite[];
  readonly errors: readonly BundleMessage[];
  /** Folders whose names must not reach the developer. */
  readonly npmDir: string;
}

/** The error for a package that npm does not have, or that could not be asked for. */
export function packageError(constraint: string, fate: PackageFate, failure: BundleFailure): AppError {
  const npm = `npm:${constraint}`;
  if (fate.kind === "unreachable") {
    return new AppError(
      "INTERNAL_ERROR",
      `Cannot fetch ${JSON.stringify(npm)}: the npm registry does not answer`,
      {
        status: 503,
        details: { path: "code", reason: "registry_unreachable", specifier: npm },
        remediation:
          "Try again; if it persists, the operator checks the server's network and NPM_CONFIG_REGISTRY.",
        cause: failure.errors,
      },
    );
  }
  const site = failure.imports.find(({ specifier }) => asksFor(specifier, constraint));
  if (fate.kind === "outside_npm") {
    return sourceError(failure.code, {
      ...(site === undefined ? {} : { offset: site.offset }),
      reason: "dependency_outside_npm",
      message: `import of ${
        JSON.stringify(site?.specifier ?? npm)
      }: a package in it depends on "${fate.dependency}", and only packages of npm are fetched`,
      remediation: "Use a version of the package whose dependencies are all on npm.",
      facts: { specifier: site?.specifier ?? npm, dependency: fate.dependency },
    });
  }
  return sourceError(failure.code, {
    ...(site === undefined ? {} : { offset: site.offset }),
    reason: "package_not_found",
    message: site === undefined
      ? `npm has no package "${constraint}", which a package that it imports needs`
      : `import of ${JSON.stringify(site.specifier)}: npm has no package "${constraint}"`,
    remediation: "Check the package's name and version on npm.",
    facts: { specifier: site?.specifier ?? npm },
  });
}

/** The error for anything else that the bundler stumbled over. */
export function bundleError(failure: BundleFailure): AppError {
  const { code, imports, errors, npmDir } = failure;
  const first = errors[0];
  const text = first?.text ?? "the bundler gave no reason";
  if (/^Requires read access/.test(text)) return foreignFileError(code);
  const site = siteOf(text, imports);
  if (site !== undefined) {
    const name = /for import "([^"]*)"$/.exec(text)?.[1];
    return sourceError(code, {
      offset: site.offset,
      reason: "unresolved_import",
      message: name === undefined
        ? `import of ${JSON.stringify(site.specifier)}: the package has no such module`
        : `import of ${JSON.stringify(site.specifier)}: it exports no ${JSON.stringify(name)}`,
      remediation: "Check the package's documentation for what it exports, and its version.",
      facts: { specifier: site.specifier },
    });
  }
  const where = packageIn(`${first?.location?.file ?? ""} ${text}`, npmDir);
  const scheme = /^\[ERR_UNSUPPORTED_ESM_URL_SCHEME\].* protocol '([a-z0-9+.-]+)'$/.exec(text)?.[1];
  if (scheme !== undefined && where !== null) {
    return sourceError(code, {
      reason: "remote_import",
      message: `the package ${where} imports from a URL (${scheme}:), and modules are not loaded from URLs`,
      remediation: "Use another version of the package, or another package.",
      facts: { package: where },
    });
  }
  return sourceError(code, {
    reason: "bundle_failed",
    // Texts about files of packages can quote any file that a package names: only those about this code are shown.
    message: where === null && isAboutEntry(first)
      ? `it could not be bundled: ${shown(text)}`
      : `a package could not be bundled${where === null ? "" : `: ${where} does not fit a function`}`,
    remediation: "Use another version of the package, or one made for browsers or Deno.",
    facts: where === null ? {} : { package: where },
  });
}

/** The error for a package that names files outside itself. */
export function foreignFileError(code: string): AppError {
  return sourceError(code, {
    reason: "foreign_file",
    message: "a package that it imports reads files outside of itself",
    remediation: "Leave the package out, or report it to npm: no package needs this.",
  });
}

function asksFor(specifier: string | null, constraint: string): boolean {
  if (specifier === null) return false;
  const wanted = specifier.replace(/^npm:\/?/, "");
  return wanted === constraint || wanted.startsWith(`${constraint}/`) ||
    // `npm:zod` may be asked for as `zod@*`.
    wanted.split("/")[0] === constraint.replace(/@\*$/, "");
}

function siteOf(text: string, imports: readonly ImportSite[]): ImportSite | undefined {
  const missingName = /^No matching export in .* for import "([^"]*)"$/.exec(text)?.[1];
  if (missingName !== undefined) return imports.find(({ names }) => names.includes(missingName));
  return imports.find(({ specifier }) => specifier !== null && text.includes(`'${specifier}'`));
}

function isAboutEntry(message: BundleMessage | undefined): boolean {
  const file = message?.location?.file;
  return file === undefined ? /^SyntaxError: /.test(message?.text ?? "") : /(^|\/)function\.tsx?$/.test(file);
}

function packageIn(text: string, npmDir: string): string | null {
  const folder = npmDir.split("/").slice(-2).join("/");
  const start = text.indexOf(`${folder}/`);
  const path = start < 0 ? "" : text.slice(start + folder.length + 1, start + 400);
  const match = /^[^/]+\/((?:@[^/]+\/)?[^/]+)\/(\d[^/\s"']*)\//.exec(path);
  return match === null ? null : `npm:${match[1]}@${match[2]}`;
}

function shown(text: string): string {
  return (text.split("\n", 1)[0] ?? "").replaceAll(/(file:\/\/)?(\.{0,2}\/)[\w.@/-]+/g, "…").slice(0, 300);
}
