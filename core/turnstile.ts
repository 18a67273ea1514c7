// Lets so many pieces of work through at once; the others wait in order, and beyond a queue's length they are refused.

import { AppError } from "./errors.ts";

export interface TurnstileLimits {
  /** Pieces of work under way at once. */
  atOnce: number;
  /** Pieces that may wait. */
  waiting: number;
}

export class Turnstile {
  readonly #limits: TurnstileLimits;
  readonly #queue: (() => void)[] = [];
  #underWay = 0;

  constructor(limits: TurnstileLimits) {
    this.#limits = limits;
  }

  /** @throws {AppError} QUOTA_RATE_LIMIT when too many wait already; whatever `work` throws. */
  async pass<Value>(what: string, work: () => Promise<Value>): Promise<Value> {
    const { atOnce, waiting } = this.#limits;
    if (this.#underWay >= atOnce) {
      if (this.#queue.length >= waiting) {
        throw new AppError(
          "QUOTA_RATE_LIMIT",
          `Cannot ${what} now: ${this.#queue.length} others wait for it`,
        );
      }
      // Whoever leaves hands the place on, so nobody who comes in between takes it.
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else this.#underWay++;
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#underWay--;
      else next();
    }
  }
}
