// Looks at a finished bundle as the worker will: what it still imports must be Node's modules, and it must have what
// answers requests.

import { init, parse } from "es-module-lexer";
import { isBuiltin } from "node:module";
import { type HandlerForm } from "./find_handler.ts";

export type BundleVerdict = { kind: "sound" } | { kind: "unsound"; problem: string };

/**
 * Checks the imports and exports that are left. A computed `import()` inside a package is let through: in the worker
 * it reaches nothing but Node's modules. Node's modules that the developer may not import are let through too, since
 * packages import them for what they do elsewhere.
 */
export async function verifyBundle(bundle: string, handler: HandlerForm): Promise<BundleVerdict> {
  await init;
  const found = lexed(bundle);
  if (found === null) return { kind: "unsound", problem: "it is not a module that can be read" };
  const foreign = found.imports.find((specifier) => !specifier.startsWith("node:") || !isBuiltin(specifier));
  if (foreign !== undefined) {
    return { kind: "unsound", problem: `it still imports ${JSON.stringify(foreign)} at run time` };
  }
  if (handler !== "serve" && !found.exports.includes(handler)) {
    return { kind: "unsound", problem: `it has no export "${handler}"` };
  }
  return { kind: "sound" };
}

function lexed(bundle: string): { imports: string[]; exports: string[] } | null {
  try {
    const [imports, exports] = parse(bundle);
    return {
      imports: imports.flatMap((one) =>
        one.type === "import-meta" || one.specifier === undefined || (one.type === "dynamic" && one.glob)
          ? []
          : [one.specifier]
      ),
      exports: exports.flatMap((one) => "name" in one && one.name !== null ? [one.name] : []),
    };
  } catch {
    return null;
  }
}

/**
 * Makes `require()` of Node's modules work in a bundle that is not loaded from a file: the bundler writes
 * `createRequire(import.meta.url)`, which throws for `blob:` and `data:` modules. It stands on a line of its own at
 * the top, which no mapping points into.
 */
export function withPortableRequire(bundle: string): string {
  return bundle.replace(
    "var __require = __deno_internal_createRequire(import.meta.url);",
    'var __require = __deno_internal_createRequire("file:///");',
  );
}
