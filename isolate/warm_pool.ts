// Hosts that are started and empty, so that a first call costs a message and an import instead of a process. One kind for
// each memory limit and egress in use, refilled in the background; the commonest is kept warm from the start.

import type { AppEgress } from "../core/egress/app_egress.ts";
import type { Host } from "./host.ts";

/** What a process is started with and cannot change. */
export interface HostKind {
  readonly memoryLimitMb: number;
  readonly egress: AppEgress;
}

export interface WarmPoolParts {
  /** Hosts kept ready for each memory limit in use. */
  size: number;
  start(kind: HostKind): Promise<Host>;
  onFailure(error: unknown): void;
}

interface Shelf {
  readonly kind: HostKind;
  readonly ready: Host[];
  starting: number;
}

/** Apps that narrow their egress have one warm host each, as many of them as this: those that used it last. */
const maxNarrowed = 4;

export class WarmPool {
  readonly #parts: WarmPoolParts;
  /** The one used last comes last. */
  readonly #shelves = new Map<string, Shelf>();
  #closed = false;

  constructor(parts: WarmPoolParts) {
    this.#parts = parts;
  }

  /** Hosts that stand ready or are being started. */
  get count(): number {
    return [...this.#shelves.values()].reduce((sum, { ready, starting }) => sum + ready.length + starting, 0);
  }

  /** An empty host of this kind: one that stands ready, or a new one. */
  async take(kind: HostKind): Promise<Host> {
    const host = this.#shelves.get(keyOf(kind))?.ready.shift();
    // Refilling waits for the call at hand: starting a process would take the CPU from it.
    setTimeout(() => this.refill(kind), 50);
    return host ?? await this.#parts.start(kind);
  }

  refill({ memoryLimitMb, egress }: HostKind): void {
    if (this.#closed) return;
    const kind = { memoryLimitMb, egress };
    const key = keyOf(kind);
    const shelf = this.#shelves.get(key) ?? { kind, ready: [], starting: 0 };
    this.#shelves.delete(key);
    this.#shelves.set(key, shelf);
    const size = isNarrowed(shelf) ? Math.min(1, this.#parts.size) : this.#parts.size;
    for (let missing = size - shelf.ready.length - shelf.starting; missing > 0; missing--) {
      void this.#start(shelf);
    }
    const narrowed = [...this.#shelves].filter(([, each]) => isNarrowed(each));
    for (const [oldest] of narrowed.slice(0, -maxNarrowed)) this.#drop(oldest);
  }

  async #start(shelf: Shelf): Promise<void> {
    shelf.starting++;
    try {
      const host = await this.#parts.start(shelf.kind);
      if (this.#shelves.get(keyOf(shelf.kind)) === shelf) shelf.ready.push(host);
      else host.kill();
    } catch (error) {
      if (!this.#closed) this.#parts.onFailure(error);
    } finally {
      shelf.starting--;
    }
  }

  /** A host ended while it stood ready. */
  remove(host: Host): void {
    for (const { ready } of this.#shelves.values()) {
      const at = ready.indexOf(host);
      if (at >= 0) ready.splice(at, 1);
    }
  }

  /** Ends every host that stands ready: what they were started with holds no longer. */
  clear(): void {
    for (const key of [...this.#shelves.keys()]) this.#drop(key);
  }

  /** What stands ready ends now, what is being started as soon as it is up. */
  #drop(key: string): void {
    const shelf = this.#shelves.get(key);
    this.#shelves.delete(key);
    for (const host of shelf?.ready.splice(0) ?? []) host.kill();
  }

  close(): void {
    this.#closed = true;
    this.#shelves.clear();
  }
}

function keyOf({ memoryLimitMb, egress }: HostKind): string {
  return `${memoryLimitMb} ${egress.key}`;
}

function isNarrowed({ kind }: Shelf): boolean {
  return kind.egress.key !== "";
}
