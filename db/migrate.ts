// Brings a database forward, one numbered migration at a time, each in a transaction of its own, under a lock that makes
// other nodes wait. What has run is history: a recorded migration that reads differently now stops the start.

import type { Sql } from "postgres";
import type { Migration } from "./migrations/index.ts";

/** Key of the advisory lock that one migrating node holds. */
const migrationLock = 4_217_002n;

/**
 * Runs the migrations that `sql`'s database has not seen.
 * @returns the versions that ran.
 * @throws when a recorded migration has changed, or the database knows migrations that this program does not.
 */
export async function migrate(sql: Sql, migrations: readonly Migration[]): Promise<number[]> {
  checkOrder(migrations);
  const reserved = await sql.reserve();
  try {
    await reserved`select pg_advisory_lock(${migrationLock.toString()})`;
    try {
      await reserved`create table if not exists public.schema_migrations (
        version integer primary key, name text not null, checksum text not null,
        applied_at timestamptz not null default now())`;
      const recorded = await reserved<{ version: number; name: string; checksum: string }[]>`
        select version, name, checksum from public.schema_migrations order by version`;
      await checkHistory(migrations, recorded);
      const known = new Set(recorded.map(({ version }) => version));
      const missing = migrations.filter(({ version }) => !known.has(version));
      for (const migration of missing) await apply(sql, migration);
      return missing.map(({ version }) => version);
    } finally {
      await reserved`select pg_advisory_unlock(${migrationLock.toString()})`;
    }
  } finally {
    reserved.release();
  }
}

async function apply(sql: Sql, migration: Migration): Promise<void> {
  const { version, name } = migration;
  try {
    await sql.begin(async (transaction) => {
      await transaction.unsafe(migration.sql);
      await transaction`insert into public.schema_migrations (version, name, checksum)
        values (${version}, ${name}, ${await checksum(migration.sql)})`;
    });
  } catch (cause) {
    throw new Error(`Cannot run migration ${version} (${name}): ${(cause as Error).message}`, { cause });
  }
}

/** Numbers rise; some are left out, since work on different things was numbered apart. */
function checkOrder(migrations: readonly Migration[]): void {
  migrations.forEach(({ version, name }, at) => {
    const former = migrations[at - 1]?.version ?? 0;
    if (version <= former) throw new Error(`Migration ${version} (${name}) stands behind ${former}`);
  });
}

async function checkHistory(
  migrations: readonly Migration[],
  recorded: readonly { version: number; name: string; checksum: string }[],
): Promise<void> {
  for (const past of recorded) {
    const present = migrations.find(({ version }) => version === past.version);
    if (present === undefined) {
      throw new Error(
        `The database has migration ${past.version} (${past.name}), which this program does not know: it is older than the database`,
      );
    }
    if (await checksum(present.sql) !== past.checksum) {
      throw new Error(
        `Migration ${past.version} (${past.name}) has run with another text: add a new migration instead of changing it`,
      );
    }
  }
}

async function checksum(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
