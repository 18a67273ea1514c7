// The invocation log: one row for each run, in a partition for each day (UTC).

import type { Sql } from "postgres";
import type { ConsoleEntry } from "../../core/invocation.ts";
import type { AppId, FunctionId, VersionId } from "../../core/ids.ts";

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
  await sql.begin(async (tx) => {
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

/** Adds the rows and moves the functions' counters, in one transaction; a row that is there already is left alone. */
export async function insertInvocations(sql: Sql, rows: readonly InvocationRow[]): Promise<void> {
  const documents = rows.map((row) => ({
    ...row,
    started_at: row.started_at.toISOString(),
    completed_at: row.completed_at.toISOString(),
  }));
  await sql`
    with given as (
      select * from jsonb_populate_recordset(null::function_invocations, ${sql.json(documents as never)})
    ), added as (
      insert into function_invocations select * from given on conflict do nothing
      returning function_id, status, status_code, duration_ms, started_at
    ), sums as (
      select function_id, count(*) as calls, count(*) filter (where status_code >= 400) as errors,
        sum(duration_ms) as duration, max(started_at) as last_at,
        (array_agg(status_code order by started_at desc))[1] as last_status
      from added where status in ('completed', 'failed') group by function_id
    ), ordered as (
      -- Two nodes that flush at once lock the functions in the same order.
      select f.id from functions f where f.id in (select function_id from sums) order by f.id for update
    )
    update functions f set
      invocation_count = invocation_count + calls,
      error_count = error_count + errors,
      total_duration_ms = total_duration_ms + duration,
      last_invoked_at = greatest(last_invoked_at, last_at),
      last_status = case when last_at >= coalesce(last_invoked_at, last_at) then sums.last_status else f.last_status end
    from sums join ordered on ordered.id = sums.function_id where f.id = sums.function_id`;
}

export interface InvocationFilter {
  functionId: FunctionId;
  limit: number;
  /** Strictly after this start. */
  since: Date | null;
  errorsOnly: boolean;
  order: "newest_first" | "oldest_first";
}

export async function listInvocations(sql: Sql, filter: InvocationFilter): Promise<LoggedInvocation[]> {
  const { functionId, limit, since, errorsOnly, order } = filter;
  return await sql<LoggedInvocation[]>`
    select i.*, v.number as version_number
    from function_invocations i left join function_versions v on v.id = i.version_id
    where i.function_id = ${functionId}
      ${since === null ? sql`` : sql`and i.started_at > ${since}`}
      ${errorsOnly ? sql`and i.error_message is not null` : sql``}
    order by i.started_at ${order === "newest_first" ? sql`desc` : sql`asc`},
      i.id ${order === "newest_first" ? sql`desc` : sql`asc`}
    limit ${limit}`;
}
