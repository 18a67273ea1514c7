// Places in the developer's code, as an editor shows them: lines and columns count from 1, columns in UTF-16 units.

import { AppError } from "../../core/errors.ts";

export interface SourcePosition {
  readonly line: number;
  readonly column: number;
  /** The line itself, shortened when it is long. */
  readonly text: string;
}

const maxShownText = 200;
const lineBreak = /\r\n|[\n\r\u2028\u2029]/g;

/** Finds the line and column of an offset (UTF-16 units from the start of `code`). */
export function positionAt(code: string, offset: number): SourcePosition {
  let line = 1;
  let start = 0;
  for (const { 0: found, index } of code.slice(0, offset).matchAll(lineBreak)) {
    line += 1;
    start = index + found.length;
  }
  const rest = code.slice(start, start + maxShownText + 1).split(/[\r\n\u2028\u2029]/, 1)[0] ?? "";
  const text = rest.length > maxShownText ? `${rest.slice(0, maxShownText)}…` : rest;
  return { line, column: offset - start + 1, text };
}

export interface SourceProblem {
  /** Offset of what is wrong; absent when it is something that is missing. */
  readonly offset?: number;
  readonly message: string;
  readonly remediation: string;
  /** What kind of mistake it is, for programs: `details.reason`. */
  readonly reason: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** The error a deploy is answered with when the code itself is at fault. */
export function sourceError(code: string, problem: SourceProblem): AppError {
  const at = problem.offset === undefined ? undefined : positionAt(code, problem.offset);
  const place = at === undefined ? "" : ` (line ${at.line}, column ${at.column})`;
  return new AppError("VALIDATION_INVALID_SCHEMA", `Cannot deploy the code: ${problem.message}${place}`, {
    details: { path: "code", reason: problem.reason, ...at, ...problem.facts },
    remediation: problem.remediation,
  });
}
