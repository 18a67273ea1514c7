// The end of an invocation, as the signal of its queries: RUNNING → ENDED. An AbortController for each run would cost more
// than all that is done with it.

import type { AbortSignalLike } from "../db/mod.ts";

const message = "The invocation has ended";

/** Aborted once the invocation is over. */
export class Ending implements AbortSignalLike {
  aborted = false;
  readonly #listeners = new Set<() => void>();
  #reason: Error | undefined;

  get reason(): Error {
    return this.#reason ??= new Error(message);
  }

  begin(): void {
    this.aborted = true;
    for (const listener of this.#listeners) listener();
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }
}

/** Whether `error` is what an invocation's end makes of its queries. */
export function isEnding(error: unknown): error is Error {
  return error instanceof Error && error.message === message;
}
