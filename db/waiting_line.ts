// Who waits for a connection, in lines by database that are served in turn, so that an app with a long line delays only
// itself. Every wait ends: served, aborted, or refused when its time is over.

import { AppError } from "../core/errors.ts";
import type { PoolKey } from "./connection_pool.ts";

const longestLine = 1000;

interface Waiter<Prize> {
  readonly key: PoolKey;
  readonly promise: PromiseWithResolvers<Prize>;
  leave(): void;
}

/** Connections that one database may hold: a quarter of all, and never fewer than two, so that a nested query can run. */
export function databaseShare(limit: number): number {
  return Math.max(2, Math.floor(limit / 4));
}

export class WaitingLine<Prize> {
  readonly #lines = new Map<string, Waiter<Prize>[]>();
  readonly #refusal: (key: PoolKey) => AppError;
  readonly #waitMs: number;

  constructor(refusal: (key: PoolKey) => AppError, waitMs: number) {
    this.#refusal = refusal;
    this.#waitMs = waitMs;
  }

  get size(): number {
    let size = 0;
    for (const line of this.#lines.values()) size += line.length;
    return size;
  }

  has(database: string): boolean {
    return this.#lines.has(database);
  }

  join(key: PoolKey, signal?: AbortSignal): Promise<Prize> {
    const line = this.#lines.get(key.database) ?? [];
    if (line.length >= longestLine) return Promise.reject(this.#refusal(key));
    const promise = Promise.withResolvers<Prize>();
    const leave = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      this.#remove(waiter);
    };
    const waiter: Waiter<Prize> = { key, promise, leave };
    const aborted = () => {
      leave();
      promise.reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      const refusal = this.#refusal(key);
      leave();
      promise.reject(refusal);
    }, this.#waitMs);
    signal?.addEventListener("abort", aborted);
    line.push(waiter);
    this.#lines.set(key.database, line);
    return promise.promise;
  }

  /** Serves the first waiter whom `place` has something for and sends its database to the back; whether there was one. */
  serveNext(place: (key: PoolKey) => Promise<Prize> | undefined): boolean {
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
        prize.then(waiter.promise.resolve, waiter.promise.reject);
        return true;
      }
    }
    return false;
  }

  refuseAll(error: AppError): void {
    for (const line of [...this.#lines.values()]) {
      for (const waiter of [...line]) {
        waiter.leave();
        waiter.promise.reject(error);
      }
    }
  }

  #remove(waiter: Waiter<Prize>): void {
    const line = this.#lines.get(waiter.key.database);
    const at = line?.indexOf(waiter) ?? -1;
    if (line === undefined || at < 0) return;
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(waiter.key.database);
  }
}

function firstOfEachRole<Prize>(line: readonly Waiter<Prize>[]): Waiter<Prize>[] {
  const seen = new Set<string>();
  return line.filter(({ key }) => !seen.has(key.role) && seen.add(key.role));
}
