// The invocation log: one row for each run, in a partition for each day (UTC).

import type { Sql, TransactionSql } from "postgres";
import type { ConsoleEntry } from "../../core/invocation.ts";
import type { AppId, FunctionId, VersionId } from "../../core/ids.ts";
import { transaction } from "../transaction.ts";
import { type CallCount, invocationColumns, type InvocationRows } from "./invocation_rows.ts";

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

/**
 * Adds the rows and moves the functions' counters, in one transaction. Rows that are there already are all there: the
 * transaction that brought them was committed, and only its answer was lost.
 */
export async function insertInvocations(sql: Sql, rows: InvocationRows): Promise<void> {
  try {
    await transaction(sql, async (tx) => {
      // A crash of PostgreSQL may lose what came in its last moments; waiting for the disk would hold up the next batch.
      await tx`set local synchronous_commit to off`;
      const query = tx.unsafe(`copy function_invocations (${invocationColumns.join(", ")}) from stdin`);
      const copy = await query.writable();
      await new Promise<void>((resolve, reject) => {
        // Once all was sent, postgres.js tells a failure to the query only, whose promise has been the stream's: without
        // this the stream, and with it every later batch, would wait for ever.
        Object.assign(query, { reject });
        copy.on("error", reject);
        copy.on("finish", resolve);
        copy.end(rows.bytes);
      });
      await moveCounters(tx, rows.counts);
    });
  } catch (error) {
    if ((error as { code?: string }).code !== "23505") throw error;
  }
}

async function moveCounters(tx: TransactionSql, counts: ReadonlyMap<FunctionId, CallCount>): Promise<void> {
  // Two nodes that flush at once lock the functions in the same order.
  for (const [id, { calls, errors, durationMs, last }] of [...counts].sort(([a], [b]) => a < b ? -1 : 1)) {
    await tx`
      update functions set
        invocation_count = invocation_count + ${calls},
        error_count = error_count + ${errors},
        total_duration_ms = total_duration_ms + ${durationMs},
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
