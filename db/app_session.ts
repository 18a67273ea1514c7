// One login to an app's database, between whose transactions nothing remains: each begins by setting its identity anew,
// and each is followed by the cleaning of whatever a statement may have left behind, in the same round trip where the
// statement is an ordinary one. A session that cannot be shown to be clean is not used again.

import type { DatabaseIdentity } from "../core/principal.ts";
import type { AbortSignalLike } from "./abort_signal.ts";
import { translateError } from "./query_error.ts";
import {
  beginAs,
  cleanAndCheck,
  commitAndClean,
  prepareCheck,
  prepareOwn,
  saysClean,
} from "./session_statements.ts";
import {
  checkStatement,
  isPlain,
  needsSimpleProtocol,
  type QueryResult,
  queryResult,
  type Statement,
} from "./statement.ts";
import { StatementCache } from "./statement_cache.ts";
import { type Connection, Outgoing, type Reply, type TransactionState } from "./wire/mod.ts";

export interface TransactionOptions {
  /** Cancels what runs, on the server too. */
  signal?: AbortSignalLike;
  readOnly?: boolean;
  /** 0, as when absent, sets no limit. */
  statementTimeoutMs?: number;
}

const attempted = "Cannot run the statement";

/** The limits of a transaction that has any, or that is not an ordinary one. */
const limitsText = `select pg_catalog.set_config('transaction_read_only', $1, true),
  pg_catalog.set_config('statement_timeout', $2, true)`;

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

export class AppSession {
  readonly connection: Connection;
  readonly #cache = new StatementCache();
  /** Whether the unnamed statement is our check. */
  #checkStands = false;
  #state: TransactionState = "idle";
  #clean = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  get closed(): Promise<void> {
    return this.connection.closed;
  }

  /** Whether nothing remains of what ran last; if not, `clean` comes before the next transaction. */
  get isClean(): boolean {
    return this.#clean;
  }

  close(): void {
    this.connection.close();
  }

  /** Prepares our own statements; `tampered` when the role's defaults were changed and the session is not to be used. */
  async prepare(): Promise<"ready" | "tampered"> {
    const batch = new Outgoing().parse("", tamperedText).bind("", []).execute();
    const reply = await this.#send(prepareOwn(batch).sync());
    if (reply.error) throw reply.error;
    this.#checkStands = true;
    this.#clean = true;
    return reply.results[0]?.rows === 0 ? "ready" : "tampered";
  }

  /** Runs one whole transaction in one round trip. */
  async run(
    identity: DatabaseIdentity,
    statement: Statement,
    options: TransactionOptions,
  ): Promise<RunOutcome> {
    checkStatement(statement);
    const simple = needsSimpleProtocol(statement);
    const isUsual = !simple && isPlain(statement) && !options.readOnly && !options.statementTimeoutMs;
    return isUsual
      ? await this.#runPlain(identity, statement)
      : await this.#runAny(identity, statement, { ...options, simple });
  }

  /** The transaction and, behind it in the same round trip, the cleaning. */
  async #runPlain(identity: DatabaseIdentity, statement: Statement): Promise<RunOutcome> {
    const batch = new Outgoing();
    const known = this.#cache.find(statement.text);
    const prepared = known ?? this.#cache.prepareInto(batch, statement);
    beginAs(batch, identity.userId ?? "", claimsOf(identity));
    if (prepared === undefined) batch.parse("", statement.text);
    batch.bind(prepared?.name ?? "", statement.parameters);
    const columns = prepared?.columns ?? null;
    if (columns === null) batch.describePortal();
    batch.execute();
    if (prepared === undefined) prepareCheck(batch);
    this.#checkStands = prepared !== undefined;
    const { results, error, state } = await this.#send(commitAndClean(batch));
    const [, , result, committed] = results;
    this.#checkStands ||= error === null;
    this.#clean = error === null && state === "idle" && saysClean(results.at(-1));
    // A failure behind the commit is one of the cleaning.
    if (error !== null && committed === undefined) {
      // 26000: SQL deallocated it. 0A000: the columns of its result changed. Nothing was done in either case.
      const stale = known !== undefined && ["26000", "0A000"].includes(error.code);
      if (prepared !== undefined && (stale || known === undefined)) this.#cache.forget(prepared);
      if (stale) return { kind: "again" };
      throw translateError(error, attempted);
    }
    if (prepared !== undefined) prepared.columns ??= result?.columns ?? [];
    return { kind: "done", result: queryResult(result, columns) };
  }

  /** Anything else: it may end the transaction, drop our statements or hold several statements, and is cleaned up after. */
  async #runAny(
    identity: DatabaseIdentity,
    statement: Statement,
    options: TransactionOptions & { simple: boolean },
  ): Promise<RunOutcome> {
    const batch = this.#beginning(identity, options);
    if (options.simple) batch.sync().query(statement.text);
    else batch.parse("", statement.text).bind("", statement.parameters).describePortal().execute();
    batch.parse("", "COMMIT").bind("", []).execute().sync();
    this.#clean = false;
    this.#state = "failed";
    const parts = await Promise.all(this.connection.send(batch, options.simple ? 3 : 1));
    this.#state = parts.at(-1)?.state ?? "failed";
    const error = parts.find((part) => part.error !== null)?.error;
    if (error) throw translateError(error, attempted);
    // The first results are those of the beginning, the last is that of COMMIT.
    return { kind: "done", result: queryResult(parts.flatMap((part) => part.results).slice(3, -1).at(-1)) };
  }

  /** Undoes what SQL has left behind; whether the session may be used again. Never rejects. */
  async clean(): Promise<boolean> {
    const batch = new Outgoing();
    if (this.#state !== "idle") batch.parse("", "ROLLBACK").bind("", []).execute();
    if (this.#state !== "idle" || !this.#checkStands) prepareCheck(batch);
    this.#checkStands = true;
    try {
      const { error, state, results } = await this.#send(cleanAndCheck(batch));
      this.#clean = error === null && state === "idle" && saysClean(results.at(-1));
    } catch {
      this.#clean = false;
    }
    return this.#clean;
  }

  /** Opens a transaction that stays open. */
  async begin(identity: DatabaseIdentity, options: TransactionOptions): Promise<void> {
    const { error } = await this.#send(this.#beginning(identity, options).sync());
    if (error) throw error;
  }

  /** One statement inside an open transaction. */
  async step(statement: Statement): Promise<Reply> {
    checkStatement(statement);
    const batch = new Outgoing();
    if (needsSimpleProtocol(statement)) batch.query(statement.text);
    else batch.parse("", statement.text).bind("", statement.parameters).describePortal().execute().sync();
    this.#checkStands = false;
    return await this.#send(batch);
  }

  /** Ends the open transaction. */
  async end(how: "commit" | "rollback"): Promise<Reply> {
    this.#checkStands = false;
    return await this.#send(new Outgoing().query(how === "commit" ? "COMMIT" : "ROLLBACK"));
  }

  #beginning(identity: DatabaseIdentity, { readOnly, statementTimeoutMs }: TransactionOptions): Outgoing {
    this.#checkStands = false;
    return beginAs(new Outgoing(), identity.userId ?? "", claimsOf(identity))
      .parse("", limitsText).bind("", [readOnly ? "on" : "off", String(statementTimeoutMs ?? 0)]).execute();
  }

  async #send(batch: Outgoing): Promise<Reply> {
    this.#clean = false;
    this.#state = "failed";
    const reply = await (this.connection.send(batch, 1)[0] as Promise<Reply>);
    this.#state = reply.state;
    return reply;
  }
}

function claimsOf({ claims }: DatabaseIdentity): string {
  return claims === null ? "" : JSON.stringify(claims);
}
