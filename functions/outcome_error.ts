// What a caller from outside is told when a run did not answer. It never sees what was thrown, nor a stack.

import { AppError } from "../core/errors.ts";
import type { Outcome, StopReason } from "../core/invocation.ts";

export type Failure = Exclude<Outcome, { kind: "responded" }>;

export function outcomeError(failure: Failure, name: string): AppError {
  switch (failure.kind) {
    case "threw":
      return new AppError("FUNCTION_THREW", `The function "${name}" threw an error`);
    case "bad_response":
      return new AppError("FUNCTION_BAD_RESPONSE", `The function "${name}" did not return a valid Response`);
    case "boot_failed":
      return new AppError("FUNCTION_BOOT_FAILED", `The function "${name}" could not be loaded`);
    case "request_broke":
      return failure.error;
    case "overloaded":
      return new AppError(
        "FUNCTION_OVERLOADED",
        `The function "${name}" is overloaded: ${failure.waiting} calls wait already`,
        { details: { waiting: failure.waiting, limit: failure.limit } },
      );
    case "stopped":
      return stoppedError(failure.reason, name, failure);
  }
}

function stoppedError(
  reason: StopReason,
  name: string,
  { limit, used }: { limit: number | null; used: number | null },
): AppError {
  switch (reason) {
    case "deadline":
      return new AppError("FUNCTION_TIMEOUT", `The function "${name}" did not answer within ${limit} ms`, {
        details: { timeout_ms: limit },
      });
    case "held":
      return limit === null
        ? new AppError(
          "FUNCTION_CRASHED",
          `The call of "${name}" could not go on: another call held its isolate`,
          {
            details: { held_by_another_call: true },
          },
        )
        : new AppError(
          "FUNCTION_TIMEOUT",
          `The function "${name}" did not answer within ${limit} ms: another call held its isolate`,
          { details: { timeout_ms: limit, held_by_another_call: true } },
        );
    case "cpu":
      return new AppError(
        "FUNCTION_TIMEOUT",
        `The function "${name}" used more than its ${limit} ms of CPU a second: it used ${used} ms`,
        {
          remediation: "Do less work in a call, or have the operator raise BUTTERBASE_CPU_MS.",
          details: { cpu_ms: limit, cpu_used_ms: used },
        },
      );
    case "memory":
      return new AppError(
        "FUNCTION_MEMORY_LIMIT",
        `The function "${name}" passed its memory limit of ${limit} MiB${
          used === null ? "" : `: it used ${used} MiB`
        }`,
        { details: { memory_limit_mb: limit, memory_used_mb: used } },
      );
    case "exited":
      return new AppError("FUNCTION_EXITED", `The function "${name}" ended its process instead of answering`);
    case "paused":
      return new AppError("APP_PAUSED", `The call of "${name}" was stopped: its app was paused`);
    case "crashed":
    case "cancelled":
      return new AppError("FUNCTION_CRASHED", `The isolate of the function "${name}" ended while it ran`);
  }
}

/** What the owner reads in the log beside the status. */
export function outcomeMessage(failure: Failure, name: string): { message: string; stack: string | null } {
  if (failure.kind === "threw" || failure.kind === "bad_response" || failure.kind === "boot_failed") {
    return { message: failure.error.message, stack: failure.error.stack };
  }
  if (failure.kind === "stopped" && failure.reason === "cancelled") {
    return { message: "The client went away before the function answered", stack: null };
  }
  return { message: outcomeError(failure, name).message, stack: null };
}
