// Front door of db/: one PostgreSQL server, embedded or given, with the control database, the apps' databases and the
// notices between nodes. Opened whole or not at all, and closed in the opposite order.

import type { Sql } from "postgres";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import { type AppDatabases, openAppDatabases } from "./app_databases.ts";
import { openControl } from "./control.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded/mod.ts";
import { type Notices, openNotices } from "./notices.ts";
import { closeSql, parseDatabaseUrl, type Server } from "./server.ts";
import { survivesDriver } from "./transaction.ts";

export type { AbortSignalLike } from "./abort_signal.ts";
export { setupRevision } from "./app_database_setup.ts";
export type { AppDatabases } from "./app_databases.ts";
export type { TransactionOptions } from "./app_session.ts";
export type { AppTransaction } from "./app_transaction.ts";
export type { PoolStats } from "./connection_pool.ts";
export type { Notices } from "./notices.ts";
export { QueryError, type QueryErrorFields } from "./query_error.ts";
export { type QueryResult, rowValues, type Statement } from "./statement.ts";
export { transaction } from "./transaction.ts";
export type { Sql } from "postgres";

export type DatabaseConfig = Pick<
  Config,
  "DATABASE_URL" | "BUTTERBASE_CONTROL_CONNECTIONS" | "BUTTERBASE_APP_CONNECTIONS"
>;

export interface DatabaseParts {
  config: DatabaseConfig;
  /** Absolute path; the embedded PostgreSQL lives in it. */
  dataDir: string;
  log: Logger;
  /** Passwords of the apps' roles derive from it: the same on every node. */
  secret: Uint8Array;
  /** `fast` is for tests. */
  durability?: "safe" | "fast";
}

export interface Health {
  ok: boolean;
  /** Time of one question to the control database. */
  latencyMs: number;
  server: "embedded" | "external";
  /** Whether notices of other nodes arrive. */
  notices: boolean;
  /** Process ids of the embedded PostgreSQL and of the shell that watches over it. */
  processIds: { postgres: number; keeper: number } | null;
}

export interface Database extends AsyncDisposable {
  readonly control: Sql;
  readonly apps: AppDatabases;
  readonly notices: Notices;
  /** Where PostgreSQL is on the network; null when it is on this machine's file system. */
  readonly address: { host: string; port: number } | null;
  /** Never rejects; waits two seconds at most. */
  health(): Promise<Health>;
  close(): Promise<void>;
}

/** @throws {AppError} saying why there is no database to work with. */
export async function openDatabase(parts: DatabaseParts): Promise<Database> {
  const { config, dataDir, log, durability = "safe" } = parts;
  if (config.DATABASE_URL !== null) {
    return await openDatabaseOn(parseDatabaseUrl(config.DATABASE_URL.reveal()), parts);
  }
  const connections = config.BUTTERBASE_CONTROL_CONNECTIONS + config.BUTTERBASE_APP_CONNECTIONS;
  const embedded = await startEmbeddedPostgres({ dataDir, log, durability, connections });
  try {
    return await openDatabaseOn(embedded.server, { ...parts, embedded });
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

/** The same on a server that runs already; an embedded one is stopped at the end. */
export async function openDatabaseOn(
  server: Server,
  { config, log, secret, embedded, waitMs = 10_000 }: Pick<DatabaseParts, "config" | "log" | "secret"> & {
    embedded?: EmbeddedPostgres;
    /** How long a caller waits for a connection to an app's database. */
    waitMs?: number;
  },
): Promise<Database> {
  await using opened = new AsyncDisposableStack();
  const control = await openControl({ server, limit: config.BUTTERBASE_CONTROL_CONNECTIONS, log });
  opened.defer(() => closeSql(control));
  const apps = await openAppDatabases({
    server,
    control,
    secret,
    limit: config.BUTTERBASE_APP_CONNECTIONS,
    log,
    waitMs,
  });
  opened.defer(() => apps.close());
  const notices = await openNotices({ server, control, log });
  opened.defer(() => notices.close());
  const survive = (event: ErrorEvent) => survivesDriver(event, log);
  globalThis.addEventListener("error", survive);
  opened.defer(() => globalThis.removeEventListener("error", survive));
  const all = opened.move();

  async function close(): Promise<void> {
    try {
      await all.disposeAsync();
    } finally {
      await embedded?.stop();
    }
  }

  async function health(): Promise<Health> {
    const startedAt = performance.now();
    const ok = await within(2000, control`select 1`);
    return {
      ok,
      latencyMs: performance.now() - startedAt,
      server: embedded === undefined ? "external" : "embedded",
      notices: notices.connected,
      processIds: embedded?.processIds() ?? null,
    };
  }

  const { endpoint } = server;
  const address = endpoint.kind === "unix" ? null : { host: endpoint.hostname, port: endpoint.port };
  return { control, apps, notices, address, health, close, [Symbol.asyncDispose]: close };
}

async function within(ms: number, work: PromiseLike<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  const answered = Promise.resolve(work).then(() => true, () => false);
  const ok = await Promise.race([answered, late.promise]);
  clearTimeout(timer);
  return ok;
}
