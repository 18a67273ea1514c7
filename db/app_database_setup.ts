// Makes an app's database and drops it again, under one lock for the whole cluster, so that two nodes doing the same do
// it once. Every step leaves alone what is already as it should be, so a crash half way is mended by asking again.

import type { ReservedSql, Sql } from "postgres";
import databaseSql from "./app_setup/database.sql" with { type: "text" };
import rowSecuritySql from "./app_setup/row_security.sql" with { type: "text" };
import schemaHistorySql from "./app_setup/schema_history.sql" with { type: "text" };
import tableAccessSql from "./app_setup/table_access.sql" with { type: "text" };
import { clusterLock, databaseRoles } from "./roles.ts";
import { closeSql, openSql, type Server } from "./server.ts";

/** What every app database holds besides the app's own tables, in this order. */
const setup = [databaseSql, tableAccessSql, rowSecuritySql, schemaHistorySql];

/** Changes with the program: databases made under another one are to be made again, which leaves what is theirs alone. */
export async function setupRevision(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(setup.join("\0")));
  return new Uint8Array(digest).toHex();
}

interface SetupParts {
  server: Server;
  control: Sql;
}

export async function createAppDatabase(name: string, { server, control }: SetupParts): Promise<void> {
  await underClusterLock(control, async (sql) => {
    if (!(await isThere(name, sql))) {
      await sql`create database ${sql(name)} template template0 encoding 'UTF8'`;
    }
    await sql`revoke all on database ${sql(name)} from public`;
    for (const role of databaseRoles) await sql`grant connect on database ${sql(name)} to ${sql(role)}`;
    // Anonymous callers get no scratch tables: nothing they need takes one.
    for (const role of ["butterbase_user", "butterbase_service"]) {
      await sql`grant temporary on database ${sql(name)} to ${sql(role)}`;
    }
    const app = openSql(server, name, { max: 1 });
    try {
      await app.begin(async (transaction) => {
        for (const step of setup) await transaction.unsafe(step);
      });
    } finally {
      await closeSql(app);
    }
  });
}

export async function dropAppDatabase(name: string, { control }: SetupParts): Promise<void> {
  await underClusterLock(control, async (sql) => {
    await sql`drop database if exists ${sql(name)} with (force)`;
  });
}

export async function databaseExists(name: string, { control }: SetupParts): Promise<boolean> {
  return await isThere(name, control);
}

async function isThere(name: string, sql: Sql | ReservedSql): Promise<boolean> {
  const found = await sql`select 1 from pg_database where datname = ${name}`;
  return found.length > 0;
}

/** CREATE DATABASE cannot run in a transaction, so the lock is the session's, on a connection kept for it. */
async function underClusterLock(control: Sql, work: (sql: ReservedSql) => Promise<void>): Promise<void> {
  const sql = await control.reserve();
  try {
    await sql`select pg_advisory_lock(${clusterLock.toString()})`;
    try {
      await work(sql);
    } finally {
      await sql`select pg_advisory_unlock(${clusterLock.toString()})`;
    }
  } finally {
    sql.release();
  }
}
