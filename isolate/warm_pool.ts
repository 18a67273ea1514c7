// Hosts that are started and empty, so that a first call costs a message and an import instead of a process. One kind for
// each memory limit in use, refilled in the background; the commonest limit is kept warm from the start.

import type { Host } from "./host.ts";

export interface WarmPoolParts {
  /** Hosts kept ready for each memory limit in use. */
  size: number;
  start(memoryLimitMb: number): Promise<Host>;
  onFailure(error: unknown): void;
}

export class WarmPool {
  readonly #parts: WarmPoolParts;
  readonly #ready = new Map<number, Host[]>();
  readonly #starting = new Map<number, number>();
  #closed = false;

  constructor(parts: WarmPoolParts) {
    this.#parts = parts;
  }

  /** Hosts that stand ready or are being started. */
  get count(): number {
    return [...this.#ready.values()].reduce((sum, hosts) => sum + hosts.length, 0) +
      [...this.#starting.values()].reduce((sum, count) => sum + count, 0);
  }

  /** An empty host with this limit: one that stands ready, or a new one. */
  async take(memoryLimitMb: number): Promise<Host> {
    const host = this.#ready.get(memoryLimitMb)?.shift();
    // Refilling waits for the call at hand: starting a process would take the CPU from it.
    setTimeout(() => this.refill(memoryLimitMb), 50);
    return host ?? await this.#parts.start(memoryLimitMb);
  }

  refill(memoryLimitMb: number): void {
    if (this.#closed) return;
    const ready = this.#ready.get(memoryLimitMb) ?? [];
    this.#ready.set(memoryLimitMb, ready);
    const starting = this.#starting.get(memoryLimitMb) ?? 0;
    for (let missing = this.#parts.size - ready.length - starting; missing > 0; missing--) {
      void this.#start(memoryLimitMb, ready);
    }
  }

  async #start(memoryLimitMb: number, ready: Host[]): Promise<void> {
    this.#starting.set(memoryLimitMb, (this.#starting.get(memoryLimitMb) ?? 0) + 1);
    try {
      const host = await this.#parts.start(memoryLimitMb);
      if (this.#closed) host.kill();
      else ready.push(host);
    } catch (error) {
      if (!this.#closed) this.#parts.onFailure(error);
    } finally {
      this.#starting.set(memoryLimitMb, (this.#starting.get(memoryLimitMb) ?? 1) - 1);
    }
  }

  /** A host ended while it stood ready. */
  remove(host: Host): void {
    const ready = this.#ready.get(host.memoryLimitMb);
    const at = ready?.indexOf(host) ?? -1;
    if (at >= 0) ready?.splice(at, 1);
  }

  close(): void {
    this.#closed = true;
  }
}
