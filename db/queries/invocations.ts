// The invocation log: one row for each run, in a partition for each day (UTC).

import type { Sql, TransactionSql } from "postgres";
import type { ConsoleEntry } from "../../core/invocation.ts";
import type { AppId, FunctionId, VersionId } from "../../core/ids.ts";
import { transaction } from "../transaction.ts";

export interface InvocationRow {
  id: string;
  app_id: AppId;
  function_id: FunctionId;
  version_id: VersionId;
  trigger_type: string;
  method: string;
  path: string;
  status: string;
  status_code: number | null;
  duration_ms: number;
  cpu_ms: number;
  memory_used_mb: number;
  request_bytes: number;
  response_bytes: number;
  error_message: string | null;
  error_stack: string | null;
  console_logs: ConsoleEntry[];
  user_id: string | null;
  caller_type: string;
  source_event_id: string | null;
  attempt_count: number;
  while_paused: boolean;
  started_at: Date;
  completed_at: Date;
}

/** A stored row, as the logs read it: the version's number stands beside its id. */
export interface LoggedInvocation extends InvocationRow {
  version_number: number | null;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Makes the partition for the day that holds `instant`, unless it is there. */
export async function ensureDayPartition(sql: Sql, instant: Date): Promise<void> {
  const start = new Date(Math.floor(instant.getTime() / dayMs) * dayMs);
  const day = start.toISOString().slice(0, 10);
  const end = new Date(start.getTime() + dayMs).toISOString().slice(0, 10);
  // Two nodes at midnight: the lock lets one make it, and the other find it.
  await transaction(sql, async (tx) => {
    await tx`select pg_advisory_xact_lock(7201)`;
    await tx.unsafe(
      `create table if not exists function_invocations_${day.replaceAll("-", "_")}
       partition of function_invocations for values from ('${day}Z') to ('${end}Z')`,
    );
  });
}

/** Drops the partitions that ended before `before`; answers their names. */
export async function dropOldPartitions(sql: Sql, before: Date): Promise<string[]> {
  const names = await sql<{ name: string }[]>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'function_invocations'::regclass order by 1`;
  const oldest = `function_invocations_${before.toISOString().slice(0, 10).replaceAll("-", "_")}`;
  const old = names.map(({ name }) => name).filter((name) => name < oldest);
  for (const name of old) await sql`drop table if exists ${sql(name)}`;
  return old;
}

const columns = [
  "id",
  "app_id",
  "function_id",
  "version_id",
  "trigger_type",
  "method",
  "path",
  "status",
  "status_code",
  "duration_ms",
  "cpu_ms",
  "memory_used_mb",
  "request_bytes",
  "response_bytes",
  "error_message",
  "error_stack",
  "console_logs",
  "user_id",
  "caller_type",
  "source_event_id",
  "attempt_count",
  "while_paused",
  "started_at",
  "completed_at",
] as const satisfies (keyof InvocationRow)[];

/**
 * Adds the rows and moves the functions' counters, in one transaction. Rows that are there already are all there: the
 * transaction that brought them was committed, and only its answer was lost.
 */
export async function insertInvocations(sql: Sql, rows: readonly InvocationRow[]): Promise<void> {
  try {
    await transaction(sql, async (tx) => {
      // A crash of PostgreSQL may lose what came in its last moments; waiting for the disk would hold up the next batch.
      await tx`set local synchronous_commit to off`;
      const query = tx.unsafe(`copy function_invocations (${columns.join(", ")}) from stdin`);
      const copy = await query.writable();
      await new Promise<void>((resolve, reject) => {
        // Once all was sent, postgres.js tells a failure to the query only, whose promise has been the stream's: without
        // this the stream, and with it every later batch, would wait for ever.
        Object.assign(query, { reject });
        copy.on("error", reject);
        copy.on("finish", resolve);
        copy.end(rows.map(copyLine).join(""));
      });
      await moveCounters(tx, rows);
    });
  } catch (error) {
    if ((error as { code?: string }).code !== "23505") throw error;
  }
}

/** A row in the text form of COPY. */
function copyLine(row: InvocationRow): string {
  return `${columns.map((column) => copyValue(row[column])).join("\t")}\n`;
}

const special = /[\\\n\r\t]/;
const escapes: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function copyValue(value: InvocationRow[keyof InvocationRow]): string {
  if (value === null) return "\\N";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "string"
    ? value
    : value instanceof Date
    ? value.toISOString()
    : JSON.stringify(value);
  return !special.test(text) ? text : text.replace(/[\\\n\r\t]/g, (letter) => escapes[letter] as string);
}

async function moveCounters(tx: TransactionSql, rows: readonly InvocationRow[]): Promise<void> {
  const sums = new Map<string, { calls: number; errors: number; duration: number; last: InvocationRow }>();
  for (const row of rows) {
    if (row.status !== "completed" && row.status !== "failed") continue;
    const sum = sums.get(row.function_id) ?? { calls: 0, errors: 0, duration: 0, last: row };
    sum.calls++;
    sum.duration += row.duration_ms;
    if ((row.status_code ?? 0) >= 400) sum.errors++;
    if (row.started_at >= sum.last.started_at) sum.last = row;
    sums.set(row.function_id, sum);
  }
  // Two nodes that flush at once lock the functions in the same order.
  for (const [id, { calls, errors, duration, last }] of [...sums].sort(([a], [b]) => a < b ? -1 : 1)) {
    await tx`
      update functions set
        invocation_count = invocation_count + ${calls},
        error_count = error_count + ${errors},
        total_duration_ms = total_duration_ms + ${duration},
        last_status = case when last_invoked_at > ${last.started_at} then last_status else ${last.status_code}::int end,
        last_invoked_at = greatest(last_invoked_at, ${last.started_at})
      where id = ${id}`;
  }
}

export interface InvocationFilter {
  functionId: FunctionId;
  limit: number;
  /** Strictly after this start. */
  since: Date | null;
  errorsOnly: boolean;
}

/** Newest first. */
export async function listInvocations(sql: Sql, filter: InvocationFilter): Promise<LoggedInvocation[]> {
  const { functionId, limit, since, errorsOnly } = filter;
  return await sql<LoggedInvocation[]>`
    select i.*, v.number as version_number
    from function_invocations i left join function_versions v on v.id = i.version_id
    where i.function_id = ${functionId}
      ${since === null ? sql`` : sql`and i.started_at > ${since}`}
      ${errorsOnly ? sql`and i.error_message is not null` : sql``}
    order by i.started_at desc, i.id desc limit ${limit}`;
}

export interface EndedFilter {
  functionId: FunctionId;
  /** Strictly after both; the first keeps the search short. */
  startedAfter: Date;
  endedAfter: Date;
  /** Ids to leave out. */
  except: readonly string[];
  errorsOnly: boolean;
  limit: number;
}

/** Rows in the order their runs ended. */
export async function listEndedInvocations(sql: Sql, filter: EndedFilter): Promise<LoggedInvocation[]> {
  const { functionId, startedAfter, endedAfter, except, errorsOnly, limit } = filter;
  return await sql<LoggedInvocation[]>`
    select i.*, v.number as version_number
    from function_invocations i left join function_versions v on v.id = i.version_id
    where i.function_id = ${functionId} and i.started_at > ${startedAfter} and i.completed_at > ${endedAfter}
      and i.id <> all (${except as string[]}::uuid[])
      ${errorsOnly ? sql`and i.error_message is not null` : sql``}
    order by i.completed_at, i.id limit ${limit}`;
}
