// Apps' databases: made, dropped, and queried as one of three roles. The role is part of the login, so nothing that SQL
// says changes it, and every transaction carries its identity, so nothing of one reaches the next.

import type { Sql } from "postgres";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { DatabaseIdentity } from "../core/principal.ts";
import { createAppDatabase, databaseExists, dropAppDatabase } from "./app_database_setup.ts";
import type { AppSession, TransactionOptions } from "./app_session.ts";
import { openAppSession } from "./app_sessions.ts";
import { type AppTransaction, holdTransaction } from "./app_transaction.ts";
import { ConnectionPool, type PoolStats } from "./connection_pool.ts";
import { LeasedSession } from "./leased_session.ts";
import { deniedTable, rowSecurityMissing } from "./query_error.ts";
import { type AppRoles, createAppRoles } from "./roles.ts";
import type { Server } from "./server.ts";
import { checkStatement, type QueryResult, type Statement } from "./statement.ts";

export interface AppDatabases {
  /** Makes the database with everything the platform keeps in it; repeating it after a crash half way finishes it. */
  create(databaseName: string): Promise<void>;
  /** Drops the database, ending whoever uses it; one that does not exist is no error. */
  drop(databaseName: string): Promise<void>;
  exists(databaseName: string): Promise<boolean>;
  /**
   * One statement (or, without parameters, several) in a transaction of its own.
   * @throws {QueryError} what PostgreSQL says against it; {AppError} RLS_NOT_ENABLED, EXTERNAL_DB_ERROR or
   * QUOTA_LIMIT_EXCEEDED; the signal's reason when it was aborted.
   */
  query(
    databaseName: string,
    identity: DatabaseIdentity,
    statement: Statement,
    options?: TransactionOptions,
  ): Promise<QueryResult>;
  /** A transaction that stays open until committed, rolled back or aborted; the caller must see to one of them. */
  begin(
    databaseName: string,
    identity: DatabaseIdentity,
    options?: TransactionOptions,
  ): Promise<AppTransaction>;
  stats(): PoolStats;
  close(): Promise<void>;
}

export interface AppDatabasesParts {
  server: Server;
  control: Sql;
  /** What the roles' passwords derive from: the same on every node. */
  secret: Uint8Array;
  /** Connections to all app databases together. */
  limit: number;
  log: Logger;
  clock?: Clock;
  /** How long a caller waits for a connection. */
  waitMs?: number;
}

/** Makes sure that the roles exist, and opens no connection yet. */
export async function openAppDatabases(parts: AppDatabasesParts): Promise<AppDatabases> {
  const roles = createAppRoles(parts);
  await roles.ensure();
  return new PooledAppDatabases(parts, roles);
}

class PooledAppDatabases implements AppDatabases {
  readonly #parts: AppDatabasesParts;
  readonly #pool: ConnectionPool<AppSession>;
  /** Work that follows an answer: sessions on their way back to the pool. */
  readonly #returning = new Set<Promise<void>>();

  constructor(parts: AppDatabasesParts, roles: AppRoles) {
    this.#parts = parts;
    const { server, log, limit, clock = systemClock, waitMs = 10_000 } = parts;
    this.#pool = new ConnectionPool({
      open: (key) => openAppSession(key, { server, roles, log }),
      limit,
      clock,
      waitMs,
    });
  }

  async create(databaseName: string): Promise<void> {
    await createAppDatabase(databaseName, this.#parts);
  }

  async drop(databaseName: string): Promise<void> {
    this.#pool.closeDatabase(databaseName);
    await dropAppDatabase(databaseName, this.#parts);
  }

  exists(databaseName: string): Promise<boolean> {
    return databaseExists(databaseName, this.#parts);
  }

  async query(
    databaseName: string,
    identity: DatabaseIdentity,
    statement: Statement,
    options: TransactionOptions = {},
  ): Promise<QueryResult> {
    checkStatement(statement);
    // A statement prepared for tables that have changed since is run again, prepared anew; nothing of it was done.
    for (;;) {
      const leased = await this.#lease(databaseName, identity, options);
      let failure: unknown;
      try {
        const ran = await leased.session.run(identity, statement, options);
        if (ran.kind === "done") return ran.result;
        continue;
      } catch (error) {
        failure = leased.explain(error);
      } finally {
        this.#giveBack(leased);
      }
      throw await this.#explainDenied(failure, databaseName, identity);
    }
  }

  async begin(
    databaseName: string,
    identity: DatabaseIdentity,
    options: TransactionOptions = {},
  ): Promise<AppTransaction> {
    const leased = await this.#lease(databaseName, identity, options);
    try {
      await leased.session.begin(identity, options);
    } catch (error) {
      this.#giveBack(leased);
      throw leased.explain(error);
    }
    return holdTransaction({
      leased,
      signal: options.signal,
      giveBack: () => this.#giveBack(leased),
      explainDenied: (error) => this.#explainDenied(error, databaseName, identity),
    });
  }

  stats(): PoolStats {
    return this.#pool.stats();
  }

  async close(): Promise<void> {
    this.#pool.close();
    await Promise.all(this.#returning);
  }

  async #lease(
    databaseName: string,
    { role }: DatabaseIdentity,
    { signal }: TransactionOptions,
  ): Promise<LeasedSession> {
    const lease = await this.#pool.acquire({ database: databaseName, role }, signal);
    if (signal?.aborted) {
      lease.release("clean");
      throw signal.reason;
    }
    return new LeasedSession(lease, signal);
  }

  #giveBack(leased: LeasedSession): void {
    const returning = leased.giveBack()?.finally(() => this.#returning.delete(returning as Promise<void>));
    if (returning !== undefined) this.#returning.add(returning);
  }

  /** Names the reason when a role was kept out of a table only because the table has no row-level security. */
  async #explainDenied(error: unknown, databaseName: string, { role }: DatabaseIdentity): Promise<unknown> {
    const table = deniedTable(error);
    if (table === undefined || table.startsWith("_") || role === "butterbase_service") return error;
    const question = {
      text: `select 1 from pg_catalog.pg_class where relname = $1 and relnamespace = 'public'::regnamespace
        and relkind in ('r', 'p') and not relrowsecurity`,
      parameters: [table],
    };
    try {
      const anonymous = { role, userId: null, claims: null };
      const { rowCount } = await this.query(databaseName, anonymous, question, {
        signal: AbortSignal.timeout(2000),
      });
      return rowCount > 0 ? rowSecurityMissing(table, error) : error;
    } catch {
      // Without an answer the refusal itself is still true.
      return error;
    }
  }
}
