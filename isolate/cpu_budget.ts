// What a host may use of the machine's CPUs: so many ms for each second that a run is open on it, and a second's worth
// for each run that begins. What is left over is kept, up to some seconds' worth, so that short bursts are free.

export class CpuBudget {
  readonly #cpuMs: number;
  readonly #keptSeconds: number;
  #left: number;
  /** What was used, and what it was used for, since nothing was missing from what may be kept. */
  #usedMs = 0;
  #seconds = 0;

  constructor(cpuMs: number, { keptSeconds }: { keptSeconds: number }) {
    this.#cpuMs = cpuMs;
    this.#keptSeconds = keptSeconds;
    this.#left = cpuMs * keptSeconds;
  }

  /** Whether more was used than there was. */
  get overdrawn(): boolean {
    return this.#left < 0;
  }

  /** Nothing of it is missing. */
  get full(): boolean {
    return this.#usedMs === 0;
  }

  /** CPU ms used per second of an open run, since the budget was last full. */
  get usedPerSecond(): number {
    return Math.round(this.#usedMs / Math.max(1, this.#seconds));
  }

  /** So many runs began, so many were open for that time, and the process used that much. */
  spend(usedMs: number, { began, open, seconds }: { began: number; open: number; seconds: number }): void {
    const openSeconds = open * seconds;
    const most = this.#cpuMs * this.#keptSeconds * Math.max(1, open);
    const left = this.#left + this.#cpuMs * (began + openSeconds) - usedMs;
    this.#left = Math.min(most, left);
    this.#usedMs = left >= most ? 0 : this.#usedMs + usedMs;
    this.#seconds = left >= most ? 0 : this.#seconds + openSeconds;
  }
}
