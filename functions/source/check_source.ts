// Decides whether code can become a function, before anything is fetched or bundled. What passes imports nothing but
// npm packages and Node's modules by literal names, and holds something that answers requests.
// Runs in the check process only: see parse_source.ts.

import { findHandler, type HandlerForm } from "./find_handler.ts";
import { findImports, type ImportSite } from "./find_imports.ts";
import { judgeSpecifier } from "./import_rules.ts";
import { type ParsedSource, parseSource } from "./parse_source.ts";
import { sourceError } from "./source_position.ts";

export interface CheckedSource {
  /** What to bundle: the code without byte order mark and without pointers to source maps. */
  readonly code: string;
  readonly language: "ts" | "tsx";
  readonly handler: HandlerForm;
  readonly imports: readonly ImportSite[];
}

/** The example that an error shows to who has no handler yet. */
export const handlerExample =
  'export default async function handler(request: Request, ctx: Context): Promise<Response> {\n  return Response.json({ hello: "world" });\n}';

/**
 * Checks the developer's code and says how to bundle it.
 * @throws AppError `VALIDATION_INVALID_SCHEMA` whose details hold `path`, `reason`, `line`, `column` and `text`.
 */
export function checkSource(source: string): CheckedSource {
  const code = source.replace(/^\uFEFF/, "");
  const parsed = parseSource(code);
  if (parsed.kind === "broken") throw sourceError(code, parsed.problem);
  const imports = findImports(parsed.program, parsed.comments);
  for (const site of imports) refuseForbidden(code, site);
  return {
    code: withoutSourceMapPointers(code, parsed),
    language: parsed.language,
    handler: requireHandler(code, parsed),
    imports,
  };
}

function refuseForbidden(code: string, site: ImportSite): void {
  const { specifier, offset } = site;
  if (specifier === null) {
    throw sourceError(code, {
      offset,
      reason: "dynamic_import",
      message: `${site.form} of something other than a literal text would be resolved at run time`,
      remediation: 'Name the module in the code, as in `await import("npm:zod@4")`: it is fetched at deploy.',
    });
  }
  const verdict = judgeSpecifier(specifier);
  if (verdict.kind === "refused") {
    const { reason, message, remediation } = verdict;
    throw sourceError(code, { offset, reason, message, remediation, facts: { specifier } });
  }
  if (site.attribute !== null) {
    throw sourceError(code, {
      offset,
      reason: "import_attributes",
      message: `import of ${JSON.stringify(specifier)} with attributes: a function imports code only`,
      remediation: "Leave `with { … }` out, and put data into the code, the database or storage.",
      facts: { specifier },
    });
  }
  if (site.form === "import =" || (site.form === "require()" && verdict.kind === "npm")) {
    throw sourceError(code, {
      offset,
      reason: "require",
      message: `${site.form} of ${JSON.stringify(specifier)}: a function is an ES module`,
      remediation: `Write \`import … from ${JSON.stringify(specifier)}\`.`,
      facts: { specifier },
    });
  }
}

function requireHandler(code: string, { program }: ParsedSource): HandlerForm {
  const found = findHandler(program);
  switch (found.kind) {
    case "found":
      return found.form;
    case "unusable":
      throw sourceError(code, {
        offset: found.offset,
        reason: "unusable_handler",
        message: `the handler it exports is ${found.what}`,
        remediation:
          `Export a function, or an object with a \`fetch\` method. For example:\n${handlerExample}`,
        facts: { example: handlerExample },
      });
    case "none":
      throw sourceError(code, {
        reason: "missing_handler",
        message: "it exports no handler",
        remediation:
          `Use \`export default\`, \`export … handler\` or \`Deno.serve(…)\`. For example:\n${handlerExample}`,
        facts: { example: handlerExample },
      });
    default:
      return found satisfies never;
  }
}

/** Breaks `sourceMappingURL` in comments, keeping all offsets: the bundler would read the file that it names. */
function withoutSourceMapPointers(code: string, { comments }: ParsedSource): string {
  let result = "";
  let done = 0;
  for (const { start, end } of comments) {
    result += code.slice(done, start) +
      code.slice(start, end).replaceAll(/sourceMappingURL/gi, "sourceMappingOff");
    done = end;
  }
  return result + code.slice(done);
}
