// The log of invocations: one row for each run, however it ended. Rows are written in batches off the call path, with
// stacks mapped to the developer's own lines; a crash loses what came in the last second.

import { AppError } from "../core/errors.ts";
import type { ConsoleEntry } from "../core/invocation.ts";
import type { VersionId } from "../core/ids.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { Batcher } from "../core/batcher.ts";
import { Lru } from "../core/lru.ts";
import type { Sql } from "../db/mod.ts";
import { readSourceMap } from "../db/queries/functions.ts";
import {
  dropOldPartitions,
  ensureDayPartition,
  insertInvocations,
  type InvocationRow,
} from "../db/queries/invocations.ts";
import { StackTraces } from "./source/mod.ts";

/** A row before its stack is mapped, with the name that frames are shown under. */
export interface LoggedRun extends InvocationRow {
  functionName: string;
}

export interface InvocationLogParts {
  sql: Sql;
  clock: Clock;
  log: Logger;
  retentionDays: number;
}

const dayMs = 24 * 60 * 60 * 1000;

export class InvocationLog implements AsyncDisposable {
  readonly #parts: InvocationLogParts;
  readonly #batcher: Batcher<LoggedRun>;
  readonly #traces = new StackTraces();
  readonly #maps = new Lru<VersionId, { map: string | null }>(32);
  readonly #days = new Set<number>();
  readonly #listeners = new Set<(row: InvocationRow) => void>();
  #upkeep: ReturnType<typeof setInterval> | undefined;

  constructor(parts: InvocationLogParts) {
    this.#parts = parts;
    this.#batcher = new Batcher({
      write: (rows) => this.#write(rows),
      everyMs: 500,
      batch: 2000,
      limit: 20_000,
      onFailure: (error, dropped) =>
        parts.log.error("Invocation rows could not be written", { error, dropped }),
    });
  }

  /** Makes today's and tomorrow's partitions, drops those past their time, and goes on doing so. */
  async open(): Promise<void> {
    await this.#maintain();
    this.#upkeep = setInterval(() => {
      this.#maintain().catch((error) =>
        this.#parts.log.error("The invocation log's upkeep failed", { error })
      );
    }, 60 * 60 * 1000);
  }

  record(run: LoggedRun): void {
    this.#batcher.add(run);
  }

  /** Calls `listener` with each row of this node once it is stored; the answer ends that. */
  listen(listener: (row: InvocationRow) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  flush(): Promise<void> {
    return this.#batcher.flush();
  }

  async close(): Promise<void> {
    clearInterval(this.#upkeep);
    await this.#batcher.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #maintain(): Promise<void> {
    const { sql, clock, retentionDays } = this.#parts;
    const now = clock.now();
    for (const instant of [now, now + dayMs]) await this.#ensureDay(instant);
    await dropOldPartitions(sql, new Date(now - retentionDays * dayMs));
  }

  async #ensureDay(instant: number): Promise<void> {
    const day = Math.floor(instant / dayMs);
    if (this.#days.has(day)) return;
    await ensureDayPartition(this.#parts.sql, new Date(instant));
    this.#days.add(day);
  }

  async #write(runs: readonly LoggedRun[]): Promise<void> {
    const rows: InvocationRow[] = [];
    for (const { functionName, ...run } of runs) {
      await this.#ensureDay(run.started_at.getTime());
      rows.push(await this.#mapped(run, functionName));
    }
    try {
      await insertInvocations(this.#parts.sql, rows.map(storable));
    } catch (error) {
      // One row that PostgreSQL refuses must not hold up all others for ever.
      if (error instanceof Error && "code" in error && String(error.code).startsWith("22")) {
        for (const row of rows) await insertInvocations(this.#parts.sql, [withoutText(row)]);
      } else throw new AppError("EXTERNAL_DB_ERROR", "Cannot write the invocation log", { cause: error });
    }
    for (const row of rows) for (const listener of this.#listeners) listener(row);
  }

  async #mapped(row: InvocationRow, functionName: string): Promise<InvocationRow> {
    const inBundle = (text: string | null) => text !== null && text.includes("blob:");
    const printed = row.console_logs.some(({ message }) => inBundle(message));
    if (!inBundle(row.error_stack) && !printed) return row;
    const map = await this.#sourceMap(row.version_id);
    const options = { version: row.version_id, sourceMap: () => map, displayName: `${functionName}.ts` };
    const mapText = (text: string) => inBundle(text) ? this.#traces.map(text, options) : text;
    return {
      ...row,
      error_stack: row.error_stack === null ? null : mapText(row.error_stack),
      console_logs: row.console_logs.map((entry): ConsoleEntry => ({
        ...entry,
        message: mapText(entry.message),
      })),
    };
  }

  async #sourceMap(id: VersionId): Promise<string | null> {
    const held = this.#maps.get(id);
    if (held !== undefined) return held.map;
    const map = await readSourceMap(this.#parts.sql, id);
    this.#maps.set(id, { map });
    return map;
  }
}

/** PostgreSQL stores no NUL in text, nor lone surrogates in JSON. */
function storable(row: InvocationRow): InvocationRow {
  const clean = (text: string) => text.replaceAll("\0", "\u{fffd}").toWellFormed();
  return {
    ...row,
    path: clean(row.path),
    error_message: row.error_message === null ? null : clean(row.error_message),
    error_stack: row.error_stack === null ? null : clean(row.error_stack),
    user_id: row.user_id === null ? null : clean(row.user_id),
    console_logs: row.console_logs.map((entry) => ({ ...entry, message: clean(entry.message) })),
  };
}

function withoutText(row: InvocationRow): InvocationRow {
  return {
    ...row,
    error_message: row.error_message && "[cannot be stored]",
    error_stack: null,
    console_logs: [],
  };
}
