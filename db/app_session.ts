// One login to an app's database, between whose transactions nothing remains: each begins by setting its identity anew,
// and each is followed, in the same write but off its caller's path, by the cleaning of whatever a statement may have
// left behind. A session that cannot be shown to be clean is not used again.

import type { DatabaseIdentity } from "../core/principal.ts";
import { translateError } from "./query_error.ts";
import {
  checkStatement,
  emptyResult,
  needsSimpleProtocol,
  type QueryResult,
  type Statement,
} from "./statement.ts";
import { StatementCache } from "./statement_cache.ts";
import { type Connection, Outgoing, type Reply, type ServerError } from "./wire/mod.ts";

export interface TransactionOptions {
  /** Cancels what runs, on the server too. */
  signal?: AbortSignal;
  readOnly?: boolean;
  /** 0, as when absent, sets no limit. */
  statementTimeoutMs?: number;
}

/** Prepared once per session: the identity and limits of the transaction that begins. */
const settingsName = "butterbase_settings";
const settingsText = `select pg_catalog.set_config('app.role', $1, true),
  pg_catalog.set_config('request.jwt.claim.sub', $2, true), pg_catalog.set_config('request.jwt.claims', $3, true),
  pg_catalog.set_config('statement_timeout', $4, true), pg_catalog.set_config('search_path', 'public', true),
  pg_catalog.set_config('row_security', 'on', true)`;

/**
 * Undoes whatever SQL can leave in a session. Its last result is one row, `f`, when our own prepared statement is still
 * there and SQL has left none of its own. This text is never prepared, so that SQL cannot put another in its place; it
 * asks the function below the view, which costs half as much.
 */
const cleaning = `ROLLBACK; RESET ALL; CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES;
  select from_sql, pg_catalog.pg_advisory_unlock_all() from pg_catalog.pg_prepared_statement()
  where from_sql or name = '${settingsName}'`;

/** What this login's role has been given as its own defaults: only hostile SQL does that (`ALTER ROLE … SET`). */
const tamperedText =
  "select 1 from pg_catalog.pg_db_role_setting where setrole = (select oid from pg_catalog.pg_roles where rolname = session_user)";

/** Values that every session starts from and RESET ALL goes back to, whatever `ALTER ROLE … SET` says. */
export const sessionDefaults: Readonly<Record<string, string>> = {
  application_name: "butterbase_app",
  search_path: "public",
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  default_transaction_read_only: "off",
  default_transaction_isolation: "read committed",
  row_security: "on",
  client_min_messages: "error",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
};

/** `again`: a statement prepared earlier no longer fits, nothing was done, and it is to be run once more. */
export type RunOutcome = { kind: "done"; result: QueryResult } | { kind: "again" };

export interface Run {
  readonly outcome: Promise<RunOutcome>;
  /** Whether the session may be used again; never rejects. */
  readonly cleaned: Promise<boolean>;
}

export class AppSession {
  readonly connection: Connection;
  readonly #cache = new StatementCache();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  get closed(): Promise<void> {
    return this.connection.closed;
  }

  close(): void {
    this.connection.close();
  }

  /** Prepares our own statements; `tampered` when the role's defaults were changed and the session is not to be used. */
  async prepare(): Promise<"ready" | "tampered"> {
    const batch = new Outgoing().parse(settingsName, settingsText).parse("", tamperedText).bind("", [])
      .execute().sync();
    const [reply] = await Promise.all(this.connection.send(batch, 1));
    if (reply?.error) throw reply.error;
    return reply?.results[0]?.rowCount === 0 ? "ready" : "tampered";
  }

  /** Runs one whole transaction in one round trip; the cleaning follows while the caller has its answer already. */
  run(identity: DatabaseIdentity, statement: Statement, options: TransactionOptions): Run {
    checkStatement(statement);
    const batch = this.#beginning(new Outgoing(), identity, options);
    const simple = needsSimpleProtocol(statement);
    let prepared: "new" | "known" | "unnamed" = "unnamed";
    if (simple) {
      batch.sync().query(statement.text);
    } else {
      prepared = this.#cache.bindInto(batch, statement);
      batch.describePortal().execute();
    }
    batch.parse("", "COMMIT").bind("", []).execute().sync().query(cleaning);
    const replies = this.connection.send(batch, simple ? 4 : 2);
    const onError = (error: ServerError): "again" | "final" => {
      // 26000: SQL deallocated it. 0A000: the columns of its result changed. Nothing was done in either case.
      const stale = prepared === "known" && ["26000", "0A000"].includes(error.code);
      if (stale || prepared === "new") this.#cache.forget(statement.text);
      return stale ? "again" : "final";
    };
    return {
      outcome: outcomeOf(replies.slice(0, -1), onError),
      cleaned: isClean(replies.at(-1) as Promise<Reply>),
    };
  }

  /** Cleans once more, after a cancel that may have hit the first cleaning; whether the session may be used again. */
  clean(): Promise<boolean> {
    return isClean(this.connection.send(new Outgoing().query(cleaning), 1)[0] as Promise<Reply>);
  }

  /** Opens a transaction that stays open. */
  async begin(identity: DatabaseIdentity, options: TransactionOptions): Promise<void> {
    const batch = this.#beginning(new Outgoing(), identity, options).sync();
    const [reply] = await Promise.all(this.connection.send(batch, 1));
    if (reply?.error) throw reply.error;
  }

  /** One statement inside an open transaction. */
  async step(statement: Statement): Promise<Reply> {
    checkStatement(statement);
    const batch = new Outgoing();
    if (needsSimpleProtocol(statement)) batch.query(statement.text);
    else batch.parse("", statement.text).bind("", statement.parameters).describePortal().execute().sync();
    return await (this.connection.send(batch, 1)[0] as Promise<Reply>);
  }

  /** Ends the open transaction and cleans up after it. */
  end(how: "commit" | "rollback"): { outcome: Promise<Reply>; cleaned: Promise<boolean> } {
    const batch = new Outgoing().query(how === "commit" ? "COMMIT" : "ROLLBACK").query(cleaning);
    const [outcome, cleanReply] = this.connection.send(batch, 2) as [Promise<Reply>, Promise<Reply>];
    return { outcome, cleaned: isClean(cleanReply) };
  }

  #beginning(batch: Outgoing, identity: DatabaseIdentity, options: TransactionOptions): Outgoing {
    return batch.parse("", options.readOnly ? "BEGIN READ ONLY" : "BEGIN").bind("", []).execute()
      .bind(settingsName, [
        identity.role,
        identity.userId ?? "",
        identity.claims === null ? "" : JSON.stringify(identity.claims),
        String(options.statementTimeoutMs ?? 0),
      ]).execute();
  }
}

async function outcomeOf(
  replies: Promise<Reply>[],
  onError: (error: ServerError) => "again" | "final",
): Promise<RunOutcome> {
  const parts = await Promise.all(replies);
  const error = parts.find((part) => part.error !== null)?.error;
  if (error) {
    if (onError(error) === "again") return { kind: "again" };
    throw translateError(error, "Cannot run the statement");
  }
  // The first two results are those of BEGIN and the settings, the last is that of COMMIT.
  return { kind: "done", result: parts.flatMap((part) => part.results).slice(2, -1).at(-1) ?? emptyResult };
}

async function isClean(cleaning: Promise<Reply>): Promise<boolean> {
  try {
    const { error, state, results } = await cleaning;
    const left = results.at(-1)?.rows;
    return error === null && state === "idle" && left?.length === 1 &&
      left[0]?.[0]?.[0] === "f".charCodeAt(0);
  } catch {
    return false;
  }
}
