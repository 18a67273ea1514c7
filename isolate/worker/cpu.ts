// CPU time of each invocation, although many share the process: at every start and end, what the process used since the
// last one is divided among those that were running.

/** CPU ms used so far by the process; taken before user code could replace it. */
export type CpuReader = () => number;

export interface CpuAccount {
  usedMs: number;
}

export class CpuShares {
  readonly #running = new Set<CpuAccount>();
  readonly #read: CpuReader;
  #last: number;

  constructor(read: CpuReader) {
    this.#read = read;
    this.#last = read();
  }

  open(): CpuAccount {
    this.#divide();
    const account = { usedMs: 0 };
    this.#running.add(account);
    return account;
  }

  close(account: CpuAccount): number {
    this.#divide();
    this.#running.delete(account);
    return account.usedMs;
  }

  #divide(): void {
    const now = this.#read();
    const each = (now - this.#last) / Math.max(this.#running.size, 1);
    this.#last = now;
    for (const account of this.#running) account.usedMs += each;
  }
}
