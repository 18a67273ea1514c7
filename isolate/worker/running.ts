// An invocation under way in the worker, and how its handler learns that it was cancelled.

import type { CancelMessage } from "../protocol/messages.ts";
import type { IncomingBody, OutgoingBody } from "./bodies.ts";
import type { Printer } from "./console.ts";
import type { CpuAccount } from "./cpu.ts";

export interface Running extends Printer {
  readonly id: number;
  readonly cpu: CpuAccount;
  readonly background: Promise<unknown>[];
  /** Of those, the ones that are not settled. */
  pending: number;
  abort: AbortController | null;
  cancelled: CancelMessage | null;
  incoming: IncomingBody | null;
  outgoing: OutgoingBody | null;
}

/** Made when it is asked for: most handlers never do. */
export function signalOf(running: Running): AbortSignal {
  if (running.abort === null) {
    running.abort = new AbortController();
    if (running.cancelled !== null) running.abort.abort(abortReason(running.cancelled));
  }
  return running.abort.signal;
}

export function abortReason({ reason }: CancelMessage): DOMException {
  return reason === "deadline"
    ? new DOMException("The function's time is over", "TimeoutError")
    : new DOMException("The client went away", "AbortError");
}
