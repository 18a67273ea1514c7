// Who waits for a connection, in lines by database that are served in turn, so that an app with a long line delays only
// itself. Every wait ends: served, aborted, or refused when its time is over.

import { AppError } from "../core/errors.ts";
import type { AbortSignalLike } from "./abort_signal.ts";
import type { PoolKey } from "./connection_pool.ts";

const longestLine = 1000;
const tickMs = 5;

interface Waiter<Prize> {
  readonly key: PoolKey;
  readonly promise: PromiseWithResolvers<Prize>;
  readonly since: number;
  leave(): void;
}

/** Connections that one database may hold: a quarter of all, and never fewer than two, so that a nested query can run. */
export function databaseShare(limit: number): number {
  return Math.max(2, Math.floor(limit / 4));
}

export interface WaitingLineParts {
  waitMs: number;
  /** What one who has waited that long is told. */
  refusal: (key: PoolKey) => AppError;
  /** Called every few ms while anybody waits. */
  onTick: () => void;
}

export class WaitingLine<Prize> {
  readonly #parts: WaitingLineParts;
  readonly #lines = new Map<string, Waiter<Prize>[]>();
  /** In the order in which they came, and so in that in which their time is over. */
  readonly #all = new Set<Waiter<Prize>>();
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(parts: WaitingLineParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#all.size;
  }

  has(database: string): boolean {
    return this.#lines.has(database);
  }

  join(key: PoolKey, signal?: AbortSignalLike): Promise<Prize> {
    const line = this.#lines.get(key.database) ?? [];
    if (line.length >= longestLine) return Promise.reject(this.#parts.refusal(key));
    const promise = Promise.withResolvers<Prize>();
    const leave = () => {
      signal?.removeEventListener("abort", aborted);
      this.#remove(waiter);
    };
    const waiter: Waiter<Prize> = { key, promise, since: performance.now(), leave };
    const aborted = () => {
      leave();
      promise.reject(signal?.reason);
    };
    signal?.addEventListener("abort", aborted);
    line.push(waiter);
    this.#lines.set(key.database, line);
    this.#all.add(waiter);
    // One for all: a timer for each would cost more than most of the waits.
    this.#ticker ??= setInterval(() => this.#tick(), tickMs);
    return promise.promise;
  }

  /** Serves the first waiter whom `place` has something for and sends its database to the back; whether there was one. */
  serveNext(place: (key: PoolKey) => Prize | Promise<Prize> | undefined): boolean {
    for (const [database, line] of this.#lines) {
      for (const waiter of firstOfEachRole(line)) {
        const prize = place(waiter.key);
        if (prize === undefined) continue;
        waiter.leave();
        const rest = this.#lines.get(database);
        if (rest !== undefined) {
          this.#lines.delete(database);
          this.#lines.set(database, rest);
        }
        waiter.promise.resolve(prize);
        return true;
      }
    }
    return false;
  }

  refuseAll(error: AppError): void {
    for (const waiter of this.#all) {
      waiter.leave();
      waiter.promise.reject(error);
    }
    this.#stopTicking();
  }

  #tick(): void {
    const oldest = performance.now() - this.#parts.waitMs;
    for (const waiter of this.#all) {
      if (waiter.since > oldest) break;
      const refusal = this.#parts.refusal(waiter.key);
      waiter.leave();
      waiter.promise.reject(refusal);
    }
    this.#parts.onTick();
    if (this.#all.size === 0) this.#stopTicking();
  }

  #stopTicking(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #remove(waiter: Waiter<Prize>): void {
    this.#all.delete(waiter);
    const line = this.#lines.get(waiter.key.database);
    const at = line?.indexOf(waiter) ?? -1;
    if (line === undefined || at < 0) return;
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(waiter.key.database);
  }
}

function firstOfEachRole<Prize>(line: readonly Waiter<Prize>[]): readonly Waiter<Prize>[] {
  const first: Waiter<Prize>[] = [];
  for (const waiter of line) {
    if (!first.some(({ key }) => key.role === waiter.key.role)) first.push(waiter);
  }
  return first;
}
