// CPU time of each invocation, although many share the process: at every start and end, what the process used since the
// last one is divided among those that were running. Among many, an instant after the last look none is taken: each
// costs a call of the kernel.

/** CPU ms used so far by the process; taken before user code could replace it. */
export type CpuReader = () => number;

export interface CpuAccount {
  usedMs: number;
  /** Where it stands among those running. */
  place: number;
}

const lookEveryMs = 0.25;
const elapsed = performance.now.bind(performance);

export class CpuShares {
  readonly #running: CpuAccount[] = [];
  readonly #read: CpuReader;
  #last: number;
  #lookedAt = -Infinity;

  constructor(read: CpuReader) {
    this.#read = read;
    this.#last = read();
  }

  open(): CpuAccount {
    this.#divide();
    const account = { usedMs: 0, place: this.#running.length };
    this.#running.push(account);
    return account;
  }

  close(account: CpuAccount): number {
    this.#divide();
    const last = this.#running.pop() as CpuAccount;
    if (last !== account) {
      this.#running[account.place] = last;
      last.place = account.place;
    }
    return account.usedMs;
  }

  #divide(): void {
    if (this.#running.length > 1) {
      const now = elapsed();
      if (now - this.#lookedAt < lookEveryMs) return;
      this.#lookedAt = now;
    }
    const used = this.#read();
    const each = (used - this.#last) / Math.max(this.#running.length, 1);
    this.#last = used;
    for (const account of this.#running) account.usedMs += each;
  }
}
