// Shares a bounded number of connections among many (database, role) pairs. One database never holds more than its
// share, waiting databases are served in turn, and nobody waits longer than ten seconds. A connection is IDLE → LEASED →
// IDLE … → CLOSED; only one that its user calls clean goes back to IDLE.

import type { Clock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import type { AbortSignalLike } from "./abort_signal.ts";
import { databaseShare, WaitingLine } from "./waiting_line.ts";

/** What the pool must know of a connection. */
export interface Poolable {
  readonly isOpen: boolean;
  readonly closed: Promise<void>;
  close(): void;
}

export interface PoolKey {
  readonly database: string;
  readonly role: string;
}

export interface PoolParts<Item extends Poolable> {
  open: (key: PoolKey) => Promise<Item>;
  /** Connections at once, of all databases together. */
  limit: number;
  clock: Clock;
  idleMs?: number;
  waitMs?: number;
}

export interface PoolStats {
  open: number;
  idle: number;
  leased: number;
  waiting: number;
  limit: number;
}

/** A connection that is its holder's alone until released. */
export interface Lease<Item> {
  readonly item: Item;
  /** `clean` puts it back, `discard` closes it. */
  release(how: "clean" | "discard"): void;
}

interface Slot<Item> {
  readonly key: PoolKey;
  /** Absent while it is being opened. */
  item?: Item;
  idleSince: number | null;
  /** When it was last handed out. */
  leasedAt: number;
  doomed: boolean;
}

/** Connections of one database and role that may be in quick use at once: a few busy backends do more than many. */
const enoughQuick = 8;
/** A connection in use for longer than this is not in quick use, and holds nobody up. */
const quickMs = 20;

export class ConnectionPool<Item extends Poolable> {
  readonly #parts: Required<PoolParts<Item>>;
  readonly #share: number;
  readonly #slots = new Set<Slot<Item>>();
  readonly #waiting: WaitingLine<Lease<Item>>;
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(parts: PoolParts<Item>) {
    this.#parts = { idleMs: 30_000, waitMs: 10_000, ...parts };
    this.#share = databaseShare(parts.limit);
    this.#waiting = new WaitingLine({
      waitMs: this.#parts.waitMs,
      refusal: (key) => this.#whyFull(key),
      onTick: () => this.#serve(),
    });
  }

  /**
   * A connection for `key`, at once or when one comes free.
   * @throws {AppError} QUOTA_LIMIT_EXCEEDED after ten seconds, naming the limit and its use; `signal.reason` on abort.
   */
  acquire(key: PoolKey, signal?: AbortSignalLike): Promise<Lease<Item>> {
    if (this.#closed) return Promise.reject(closing());
    if (signal?.aborted) return Promise.reject(signal.reason);
    const place = this.#waiting.has(key.database) ? undefined : this.#place(key);
    if (place === undefined) return this.#waiting.join(key, signal);
    this.#startSweeping();
    return Promise.resolve(place);
  }

  /** Closes what is idle of `database` now, and what is leased when it comes back. */
  closeDatabase(database: string): void {
    for (const slot of this.#slots) {
      if (slot.key.database !== database) continue;
      if (slot.idleSince !== null) this.#discard(slot);
      else slot.doomed = true;
    }
    this.#serve();
  }

  stats(): PoolStats {
    const slots = [...this.#slots];
    const idle = slots.filter((slot) => slot.idleSince !== null).length;
    const open = slots.length;
    return { open, idle, leased: open - idle, waiting: this.#waiting.size, limit: this.#parts.limit };
  }

  /** Refuses who waits, closes what is idle and what is leased. */
  close(): void {
    this.#closed = true;
    this.#waiting.refuseAll(closing());
    for (const slot of this.#slots) this.#discard(slot);
  }

  /** Gives every waiter that can have a connection one, a database at a time. */
  #serve(): void {
    while (this.#waiting.serveNext((key) => this.#place(key))) { /* each turn serves one */ }
    this.#startSweeping();
  }

  #startSweeping(): void {
    if (this.#sweeper === undefined && this.#slots.size > 0) {
      this.#sweeper = setInterval(() => this.#sweep(), Math.max(10, this.#parts.idleMs / 6));
      Deno.unrefTimer(this.#sweeper as unknown as number);
    }
  }

  /** A connection for `key` as things stand: an idle one, or a new one if there is room; `undefined` to go on waiting. */
  #place(key: PoolKey): Lease<Item> | Promise<Lease<Item>> | undefined {
    if (this.#quickInUse(key) >= enoughQuick) return undefined;
    const idle = this.#takeIdle(key);
    if (idle !== undefined) return this.#lease(idle);
    const own = [...this.#slots].filter((slot) => slot.key.database === key.database);
    const full = own.length >= this.#share;
    if (full || this.#slots.size >= this.#parts.limit) {
      const spare = longestIdle(full ? own : [...this.#slots]);
      if (spare === undefined) return undefined;
      this.#discard(spare);
    }
    const slot: Slot<Item> = { key, idleSince: null, leasedAt: 0, doomed: false };
    this.#slots.add(slot);
    return this.#openInto(slot);
  }

  async #openInto(slot: Slot<Item>): Promise<Lease<Item>> {
    try {
      slot.item = await this.#parts.open(slot.key);
    } catch (error) {
      this.#forget(slot);
      throw error;
    }
    slot.leasedAt = this.#parts.clock.monotonic();
    void slot.item.closed.then(() => this.#forget(slot));
    if (this.#closed) {
      this.#discard(slot);
      throw closing();
    }
    return this.#lease(slot);
  }

  #quickInUse({ database, role }: PoolKey): number {
    const quickSince = this.#parts.clock.monotonic() - quickMs;
    let count = 0;
    for (const { key, item, idleSince, leasedAt } of this.#slots) {
      if (idleSince !== null || key.database !== database || key.role !== role) continue;
      if (item === undefined || leasedAt > quickSince) count++;
    }
    return count;
  }

  #takeIdle({ database, role }: PoolKey): Slot<Item> | undefined {
    let latest: Slot<Item> | undefined;
    for (const slot of this.#slots) {
      if (slot.idleSince === null || slot.key.database !== database || slot.key.role !== role) continue;
      // The one used last is the warmest, and leaves the others to grow old and be closed.
      if (slot.item?.isOpen && slot.idleSince >= (latest?.idleSince ?? 0)) latest = slot;
    }
    if (latest === undefined) return undefined;
    latest.idleSince = null;
    latest.leasedAt = this.#parts.clock.monotonic();
    return latest;
  }

  #lease(slot: Slot<Item>): Lease<Item> {
    const item = slot.item as Item;
    let released = false;
    return {
      item,
      release: (how) => {
        if (released) return;
        released = true;
        if (how === "discard" || slot.doomed || this.#closed || !item.isOpen) this.#discard(slot);
        else slot.idleSince = this.#parts.clock.monotonic();
        this.#serve();
      },
    };
  }

  #discard(slot: Slot<Item>): void {
    this.#slots.delete(slot);
    slot.item?.close();
    this.#stopSweepingWhenEmpty();
  }

  #forget(slot: Slot<Item>): void {
    this.#slots.delete(slot);
    this.#stopSweepingWhenEmpty();
    if (!this.#closed) this.#serve();
  }

  #sweep(): void {
    const oldest = this.#parts.clock.monotonic() - this.#parts.idleMs;
    for (const slot of this.#slots) {
      if (slot.idleSince !== null && slot.idleSince <= oldest) this.#discard(slot);
    }
  }

  #stopSweepingWhenEmpty(): void {
    if (this.#slots.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #whyFull({ database }: PoolKey): AppError {
    const { limit, waitMs } = this.#parts;
    const own = [...this.#slots].filter((slot) => slot.key.database === database).length;
    return new AppError(
      "QUOTA_LIMIT_EXCEEDED",
      `Cannot get a database connection within ${waitMs / 1000} s: ` +
        `${own} of the app's ${this.#share} and ${this.#slots.size} of all ${limit} are in use`,
      {
        details: { limit: this.#share, used: own, total_limit: limit, total_used: this.#slots.size },
        remediation: "Hold fewer transactions open, or have the operator raise BUTTERBASE_APP_CONNECTIONS.",
      },
    );
  }
}

function longestIdle<Item>(slots: readonly Slot<Item>[]): Slot<Item> | undefined {
  return slots.filter((slot) => slot.idleSince !== null)
    .reduce<Slot<Item> | undefined>(
      (oldest, slot) => (oldest?.idleSince ?? Infinity) <= (slot.idleSince as number) ? oldest : slot,
      undefined,
    );
}

function closing(): AppError {
  return new AppError("SERVER_DRAINING", "Cannot use the app's database: the server is shutting down");
}
