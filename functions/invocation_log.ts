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
import { InvocationRows } from "../db/queries/invocation_rows.ts";
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

/** Runs that are stored together; one page fills while others wait. */
class Page {
  readonly rows = new InvocationRows();
  /** Those whose stacks are to be mapped first. */
  readonly unmapped: LoggedRun[] = [];
  readonly days = new Set<number>();
  /** It is being written, and takes no more. */
  closed = false;

  get count(): number {
    return this.rows.count + this.unmapped.length;
  }
}

const dayMs = 24 * 60 * 60 * 1000;
const runsPerPage = 500;

export class InvocationLog implements AsyncDisposable {
  readonly #parts: InvocationLogParts;
  readonly #batcher: Batcher<Page>;
  #page: Page | undefined;
  readonly #traces = new StackTraces();
  readonly #maps = new Lru<VersionId, { map: string | null }>(32);
  readonly #days = new Set<number>();
  #upkeep: ReturnType<typeof setInterval> | undefined;

  constructor(parts: InvocationLogParts) {
    this.#parts = parts;
    this.#batcher = new Batcher({
      write: (pages) => this.#write(pages),
      sizeOf: ({ count }) => count,
      everyMs: 500,
      batch: 4,
      limit: 40,
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
    if (this.#page === undefined || this.#page.closed || this.#page.count >= runsPerPage) {
      this.#page = new Page();
      this.#batcher.add(this.#page);
    }
    const page = this.#page;
    page.days.add(Math.floor(run.started_at.getTime() / dayMs));
    if (hasStack(run)) page.unmapped.push(run);
    else page.rows.add(run);
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

  async #write(pages: readonly Page[]): Promise<void> {
    for (const page of pages) {
      page.closed = true;
      for (const day of page.days) await this.#ensureDay(day * dayMs);
      for (let run = page.unmapped[0]; run !== undefined; run = page.unmapped[0]) {
        const mapped = await this.#mapped(run);
        page.unmapped.shift();
        page.rows.add(mapped);
      }
    }
    for (const page of pages) await this.#insert(page);
  }

  async #insert({ rows }: Page): Promise<void> {
    const { sql } = this.#parts;
    try {
      await insertInvocations(sql, rows);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && String(error.code).startsWith("22"))) {
        throw new AppError("EXTERNAL_DB_ERROR", "Cannot write the invocation log", { cause: error });
      }
      // One row that PostgreSQL refuses must not hold up all others for ever.
      for (const row of rows.singly()) await insertInvocations(sql, row);
    }
  }

  async #mapped({ functionName, ...row }: LoggedRun): Promise<InvocationRow> {
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

/** Whether the text names a place in a bundle, which the developer never saw. */
function inBundle(text: string): boolean {
  return text.includes("blob:");
}

function hasStack({ error_stack, console_logs }: InvocationRow): boolean {
  return (error_stack !== null && inBundle(error_stack)) ||
    console_logs.some(({ message }) => inBundle(message));
}
