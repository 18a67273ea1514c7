// Turns the developer's text into a syntax tree, read as TypeScript or, where only that works, as TSX.
// oxc-parser is native and recursive: code nested thousands of levels deep ends the whole process by a stack
// overflow. So this runs in the check process only, never in the server.

import { type Comment, type EcmaScriptModule, type ParseResult, parseSync, type Program } from "oxc-parser";
import { type SourceProblem } from "./source_position.ts";

export interface ParsedSource {
  readonly kind: "parsed";
  /** How the code reads: `ts` for TypeScript and JavaScript, `tsx` when it holds JSX. */
  readonly language: "ts" | "tsx";
  readonly program: Program;
  readonly module: EcmaScriptModule;
  readonly comments: readonly Comment[];
}

/** Parses without a byte order mark; offsets count in UTF-16 units of `code`. */
export function parseSource(code: string): ParsedSource | { kind: "broken"; problem: SourceProblem } {
  const plain = parseSync("function.ts", code, { sourceType: "module", lang: "ts" });
  if (isSound(plain)) return parsed("ts", plain);
  const withJsx = parseSync("function.tsx", code, { sourceType: "module", lang: "tsx" });
  if (isSound(withJsx)) return parsed("tsx", withJsx);
  // The reading that got further is the one the developer meant.
  return {
    kind: "broken",
    problem: syntaxProblem(errorOffset(withJsx) > errorOffset(plain) ? withJsx : plain),
  };
}

function isSound(result: ParseResult): boolean {
  return !result.errors.some(({ severity }) => severity === "Error");
}

function parsed(language: "ts" | "tsx", { program, module, comments }: ParseResult): ParsedSource {
  return { kind: "parsed", language, program, module, comments };
}

function firstError({ errors }: ParseResult) {
  return errors.find(({ severity }) => severity === "Error");
}

function errorOffset(result: ParseResult): number {
  return firstError(result)?.labels[0]?.start ?? 0;
}

function syntaxProblem(result: ParseResult): SourceProblem {
  const error = firstError(result);
  const said = (error?.message ?? "it is not TypeScript").replace(/\.$/, "");
  const help = error?.helpMessage;
  return {
    offset: errorOffset(result),
    message: `syntax error: ${said}`,
    reason: "syntax_error",
    remediation: help ??
      "Correct the line that the message names; `deno check` finds such errors before a deploy.",
  };
}
