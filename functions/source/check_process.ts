// The check process: source text on standard input, one JSON answer on standard output. It stands apart from the
// server because code nested deep enough ends the process that parses it.

import { AppError } from "../../core/errors.ts";
import { type CheckedSource, checkSource } from "./check_source.ts";

export type CheckAnswer =
  | { kind: "checked"; checked: CheckedSource }
  | { kind: "refused"; message: string; details: unknown; remediation: string };

function answer(source: string): CheckAnswer {
  try {
    return { kind: "checked", checked: checkSource(source) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { message, details, remediation } = error;
    return { kind: "refused", message, details, remediation };
  }
}

if (import.meta.main) {
  const source = await new Response(Deno.stdin.readable).text();
  await new Blob([JSON.stringify(answer(source))]).stream().pipeTo(Deno.stdout.writable);
}
