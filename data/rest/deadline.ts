// The longest that a request's statement may run, as the signal of its query: RUNNING → PASSED or ENDED.

import { AppError } from "../../core/errors.ts";
import type { AbortSignalLike } from "../../db/mod.ts";

/** Aborted when the time is up; disposing of it ends the wait. */
export class Deadline implements AbortSignalLike, Disposable {
  aborted = false;
  readonly #ms: number;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #listeners = new Set<() => void>();

  constructor(ms: number) {
    this.#ms = ms;
    this.#timer = setTimeout(() => {
      this.aborted = true;
      for (const listener of this.#listeners) listener();
    }, ms);
  }

  get reason(): AppError {
    return timedOut(`it ran for ${this.#ms / 1000} s, and was stopped`);
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

export function timedOut(why: string, cause?: unknown): AppError {
  return new AppError(
    "QUERY_TIMEOUT",
    `The query was not finished: ${why}`,
    cause === undefined ? {} : { cause },
  );
}
