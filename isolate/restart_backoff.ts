// When a version whose hosts end badly one after the other may start the next one. The first ones start at once: one bad
// call must not hold up the others. Beyond that a start costs the machine more than it gives the version.

/** So long until an end counts for half. */
const halfLifeMs = 5000;
const freeEnds = 3;
const firstDelayMs = 100;
const longestDelayMs = 1000;

export class RestartBackoff {
  #ends = 0;
  #lastEndAt = -Infinity;

  /** A host was ended for what its runs did, or ended by itself. */
  ended(now: number): void {
    this.#ends = this.#endsBy(now) + 1;
    this.#lastEndAt = now;
  }

  /** Whether a host may be started. */
  allows(now: number): boolean {
    if (this.#ends <= freeEnds) return true;
    const delay = firstDelayMs * 2 ** (this.#ends - freeEnds);
    return now - this.#lastEndAt >= Math.min(delay, longestDelayMs);
  }

  /** Whether nothing of it is worth remembering. */
  calm(now: number): boolean {
    return this.#endsBy(now) < 0.5;
  }

  #endsBy(now: number): number {
    return this.#ends * 2 ** ((this.#lastEndAt - now) / halfLifeMs);
  }
}
