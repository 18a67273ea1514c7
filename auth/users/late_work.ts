// Work that is done after its request was answered, so that the answer's time tells nothing about it. Bounded, and
// awaited before the server ends.

import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";

const most = 1000;

export class LateWork {
  readonly #log: Logger;
  readonly #pending = new Set<Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Begins the work; what goes wrong is logged. @throws {AppError} QUOTA_RATE_LIMIT when too much is under way. */
  begin(what: string, work: () => Promise<unknown>): void {
    if (this.#pending.size >= most) {
      throw new AppError("QUOTA_RATE_LIMIT", `Cannot ${what} now: ${most} others wait for it`);
    }
    const done: Promise<void> = work()
      .then(() => {}, (error) => this.#log.error(`Cannot ${what}`, { error }))
      .finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  /** What began before has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
