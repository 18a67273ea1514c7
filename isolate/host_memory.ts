// What user code takes of a host's memory: what its process holds beyond an empty one.

import { ResidentMemory } from "./process_usage.ts";

const readEveryMs = 1;

export class HostMemory implements Disposable {
  readonly #resident: ResidentMemory;
  /** Bytes before any user code, and by the most recent reading. */
  #emptyBytes = 0;
  #bytes = 0;
  #readAt = -Infinity;

  constructor(pid: number) {
    this.#resident = new ResidentMemory(pid);
  }

  /** The process is up, and nothing of a user's is in it yet. */
  measureEmpty(): void {
    this.#emptyBytes = this.#bytes = this.#resident.read() ?? 0;
  }

  /** Asks the kernel what the process holds, unless it was asked a moment ago. */
  read(now: number): void {
    if (now - this.#readAt < readEveryMs) return;
    this.#readAt = now;
    this.#bytes = this.#resident.read() ?? this.#bytes;
  }

  get usedMb(): number {
    return Math.max(0, this.#bytes - this.#emptyBytes) / (1024 * 1024);
  }

  [Symbol.dispose](): void {
    this.#resident[Symbol.dispose]();
  }
}
