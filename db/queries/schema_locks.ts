// Locks around a change of an app's schema. The app's roles may not see what others run, so the owner looks for them.

import type { Sql } from "postgres";
import type { RunStatement } from "./catalogue.ts";

/** Key of the advisory lock in an app's database that one applier of schemas holds. */
const applyLock = "4217010";

/** Waits for other appliers, and from then on briefly for tables in use. @throws {QueryError} 55P03 after each wait. */
export async function lockSchema(
  run: RunStatement,
  { turnMs, tableMs }: { turnMs: number; tableMs: number },
): Promise<void> {
  const wait = (ms: number) =>
    run({ text: "select set_config('lock_timeout', $1, true)", parameters: [String(ms)] });
  // What expressions mean must not hang on a server's settings.
  await run({ text: "select set_config('standard_conforming_strings', 'on', true)", parameters: [] });
  await wait(turnMs);
  await run({ text: "select pg_advisory_xact_lock($1)", parameters: [applyLock] });
  await wait(tableMs);
}

export interface LockHolder {
  role: string;
  /** Its present or last statement, the beginning of it. */
  statement: string;
  state: string;
  /** How long its transaction is open. */
  seconds: number;
}

/** Who holds a lock on the table of that oid, or, with null, the turn to apply; the longest first. */
export async function lockHolders(
  control: Sql,
  { databaseName, tableOid }: { databaseName: string; tableOid: number | null },
): Promise<LockHolder[]> {
  return await control<LockHolder[]>`
    select distinct a.usename as role, left(a.query, 200) as statement, a.state,
      extract(epoch from now() - a.xact_start)::int as seconds
    from pg_locks l join pg_database d on d.oid = l.database join pg_stat_activity a on a.pid = l.pid
    where d.datname = ${databaseName} and l.granted
      and (l.relation = ${tableOid}::int8::oid
        or ${tableOid}::int8 is null and l.locktype = 'advisory' and l.objid = ${applyLock}::int8::oid)
    order by seconds desc limit 3`;
}
