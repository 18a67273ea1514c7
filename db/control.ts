// The control database: the one that holds what the platform itself knows. Made when missing, migrated before anyone uses
// it, and closed, like the server's own databases, to every role that apps' SQL runs as.

import postgres, { type Sql } from "postgres";
import { AppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { migrate } from "./migrate.ts";
import { migrations } from "./migrations/index.ts";
import { closeSql, openSql, type Server } from "./server.ts";

export interface ControlParts {
  server: Server;
  /** Connections of the pool. */
  limit: number;
  log: Logger;
}

/**
 * A pool of the control database, ready to use.
 * @throws {AppError} EXTERNAL_DB_ERROR when the server cannot be reached or its login may not do what we need.
 */
export async function openControl({ server, limit, log }: ControlParts): Promise<Sql> {
  const sql = openSql(server, server.controlDatabase, { max: limit });
  try {
    await ensureDatabase(sql, server);
    await checkPowers(sql, server);
    await closeToPublic(sql, server, log);
    const ran = await migrate(sql, migrations);
    if (ran.length > 0) log.info("Migrations have run", { versions: ran });
    return sql;
  } catch (cause) {
    await closeSql(sql);
    if (cause instanceof AppError) throw cause;
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("EXTERNAL_DB_ERROR", `Cannot open the control database: ${what}`, { cause });
  }
}

async function ensureDatabase(sql: Sql, server: Server): Promise<void> {
  try {
    await sql`select 1`;
  } catch (error) {
    if (!hasCode(error, "3D000")) throw error;
    const maintenance = openSql(server, "postgres", { max: 1 });
    try {
      await maintenance`create database ${
        maintenance(server.controlDatabase)
      } template template0 encoding 'UTF8'`;
    } catch (creating) {
      // Another node was quicker: 42P04 when it had finished, 23505 when both were at it.
      if (!hasCode(creating, "42P04") && !hasCode(creating, "23505")) throw creating;
    } finally {
      await closeSql(maintenance);
    }
  }
}

/** Event triggers and the closing of system catalogs take a superuser. */
async function checkPowers(sql: Sql, { user }: Server): Promise<void> {
  const [login] = await sql<{ rolsuper: boolean; version: number }[]>`
    select rolsuper, current_setting('server_version_num')::int as version from pg_roles where rolname = current_user`;
  if (!login?.rolsuper) {
    throw new AppError(
      "EXTERNAL_DB_ERROR",
      `Cannot use the PostgreSQL server: "${user}" is not a superuser there`,
      {
        remediation: "Give DATABASE_URL a superuser's login; the SQL of apps never runs as it.",
      },
    );
  }
  if (login.version < 150000) {
    throw new AppError(
      "EXTERNAL_DB_ERROR",
      `Cannot use PostgreSQL ${Math.floor(login.version / 10000)}: 15 is the least`,
    );
  }
}

async function closeToPublic(sql: Sql, { controlDatabase }: Server, log: Logger): Promise<void> {
  for (const name of new Set([controlDatabase, "postgres", "template1"])) {
    try {
      await sql`revoke all on database ${sql(name)} from public`;
    } catch (error) {
      if (name === controlDatabase) throw error;
      log.warn("Cannot close a database of the PostgreSQL server to apps' roles", { database: name, error });
    }
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof postgres.PostgresError && error.code === code;
}
