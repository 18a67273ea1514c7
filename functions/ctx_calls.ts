// Answers what a function asks through `ctx`, on behalf of one invocation. The role is the invocation's: what the worker
// says chooses among what that invocation may do, and no more. Ends with the invocation, and rolls back what is open.

import { AppError } from "../core/errors.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import { Ending, isEnding } from "./ending.ts";
import { quotaError } from "./quota_error.ts";
import type { App } from "../apps/app_registry.ts";
import {
  anonymousIdentity,
  type DatabaseIdentity,
  serviceIdentity,
  userIdentity,
} from "../core/principal.ts";
import { type AppDatabases, type AppTransaction, QueryError, type QueryResult } from "../db/mod.ts";
import { type CallError, type CallRequest, type CallResult, type RowsHead } from "../isolate/mod.ts";

/** Rows of one answer, in bytes: they are held in memory on their way. */
const maxResultBytes = 16 * 1024 * 1024;

export interface InvokeRequest {
  name: string;
  method: string;
  headers: [string, string][];
  body: string | null;
}

export interface InvokeAnswer {
  status: number;
  headers: [string, string][];
  body: Uint8Array<ArrayBuffer>;
}

export interface CtxCallsParts {
  app: App;
  identity: DatabaseIdentity;
  databases: AppDatabases;
  quotas: QuotaLimits;
  invoke(request: InvokeRequest, signal: AbortSignal): Promise<InvokeAnswer>;
}

type Query = Extract<CallRequest, { method: "db.query" }>;
type Begin = Extract<CallRequest, { method: "db.begin" }>;
type End = Extract<CallRequest, { method: "db.end" }>;
type Claim = Extract<CallRequest, { method: "idempotency.claim" }>;

export class CtxCalls {
  readonly #parts: CtxCallsParts;
  readonly #transactions = new Map<number, AppTransaction>();
  readonly #ending = new Ending();
  #ended: AbortController | null = null;
  #lastTransaction = 0;
  #opening = 0;
  #underWay = 0;

  constructor(parts: CtxCallsParts) {
    this.#parts = parts;
  }

  async answer(call: CallRequest): Promise<CallResult> {
    const { quotas } = this.#parts;
    if (this.#underWay >= quotas.calls) return failed(quotaError("calls", quotas, this.#underWay));
    this.#underWay++;
    try {
      return await this.#dispatch(call);
    } catch (error) {
      return failed(error);
    } finally {
      this.#underWay--;
    }
  }

  /** The invocation is over: queries are cancelled, transactions rolled back. */
  end(): void {
    this.#ending.begin();
    for (const transaction of this.#transactions.values()) void transaction.rollback().catch(() => {});
    this.#transactions.clear();
  }

  /** The ending as a signal proper, which `ctx.invoke` hands on. */
  get #signal(): AbortSignal {
    if (this.#ended !== null) return this.#ended.signal;
    const controller = this.#ended = new AbortController();
    const abort = () => controller.abort(this.#ending.reason);
    if (this.#ending.aborted) abort();
    else this.#ending.addEventListener("abort", abort);
    return controller.signal;
  }

  #dispatch(call: CallRequest): Promise<CallResult> {
    switch (call.method) {
      case "db.query":
        return this.#query(call);
      case "db.begin":
        return this.#begin(call);
      case "db.end":
        return this.#end(call);
      case "idempotency.claim":
        return this.#claim(call);
      case "invoke":
        return this.#invoke(call);
      default:
        call satisfies never;
        throw new AppError("VALIDATION_INVALID_INPUT", "ctx has no such call");
    }
  }

  async #query({ transaction, text, parameters }: Query): Promise<CallResult> {
    const statement = { text, parameters };
    if (transaction !== null) return rows(await this.#open(transaction).query(statement));
    const { app, identity, databases } = this.#parts;
    return rows(await databases.query(app.databaseName, identity, statement, { signal: this.#ending }));
  }

  async #begin({ as, userId }: Begin): Promise<CallResult> {
    const held = this.#transactions.size + this.#opening;
    const { quotas } = this.#parts;
    if (held >= quotas.transactions) throw quotaError("transactions", quotas, held);
    this.#opening++;
    try {
      const { app, databases } = this.#parts;
      const transaction = await databases.begin(app.databaseName, roleOf(as, userId), {
        signal: this.#ending,
      });
      const id = ++this.#lastTransaction;
      if (this.#ending.aborted) await transaction.rollback();
      else this.#transactions.set(id, transaction);
      return { ok: true, value: id };
    } finally {
      this.#opening--;
    }
  }

  async #end({ transaction, how }: End): Promise<CallResult> {
    const open = this.#open(transaction);
    this.#transactions.delete(transaction);
    await open[how]();
    return { ok: true, value: null };
  }

  #open(id: number): AppTransaction {
    const transaction = this.#transactions.get(id);
    if (transaction !== undefined) return transaction;
    throw new AppError(
      "VALIDATION_INVALID_INPUT",
      "The transaction of this callback has ended: use its db only inside it",
    );
  }

  /** As the service, whoever calls: row-level security must never block it. */
  async #claim({ key, scope, ttlSeconds }: Claim): Promise<CallResult> {
    const { app, databases } = this.#parts;
    const { rowCount } = await databases.query(app.databaseName, serviceIdentity, {
      text: `insert into _idempotency_keys (scope, key, expires_at)
        values ($1, $2, now() + make_interval(secs => $3::double precision)) on conflict do nothing`,
      parameters: [scope, key, ttlSeconds === null ? null : String(ttlSeconds)],
    }, { signal: this.#ending });
    return { ok: true, value: rowCount === 1 };
  }

  async #invoke(
    { name, verb, headers, body }: Extract<CallRequest, { method: "invoke" }>,
  ): Promise<CallResult> {
    const answer = await this.#parts.invoke({ name, method: verb, headers, body }, this.#signal);
    return { ok: true, value: { status: answer.status, headers: answer.headers }, tail: answer.body };
  }
}

function roleOf(as: Begin["as"], userId: string | null): DatabaseIdentity {
  switch (as) {
    case "user":
      return userIdentity(String(userId));
    case "anon":
      return anonymousIdentity;
    case "service":
      return serviceIdentity;
  }
}

function rows(result: QueryResult): CallResult {
  const tail = result.data;
  if (tail.length > maxResultBytes) {
    throw new AppError(
      "QUOTA_LIMIT_EXCEEDED",
      `A query's rows may be ${maxResultBytes} bytes together: these are ${tail.length}`,
      {
        details: { limit: maxResultBytes, used: tail.length, setting: null },
        remediation: "Select fewer rows or columns, or page with LIMIT.",
      },
    );
  }
  const value: RowsHead = {
    columns: result.columns.map(({ name, type }) => [name, type]),
    rows: result.rows,
    rowCount: result.rowCount,
    command: result.command,
  };
  return { ok: true, value, tail };
}

function failed(error: unknown): CallResult {
  return { ok: false, error: callError(error) };
}

/** What user code may know of a failure: PostgreSQL's words on its own statement, or ours. */
function callError(error: unknown): CallError {
  if (error instanceof QueryError) {
    const { name, message, code, severity, detail, hint, table, column, constraint, position } = error;
    return { name, message, code, fields: { severity, detail, hint, table, column, constraint, position } };
  }
  if (error instanceof AppError) {
    const { name, message, code, remediation, details } = error;
    const quota = code === "QUOTA_LIMIT_EXCEEDED";
    return {
      name: quota ? "QuotaExceededError" : name,
      message: quota ? `${message}. ${remediation}` : message,
      code,
      fields: { remediation, ...(quota ? details as object : {}) },
    };
  }
  const ended = isEnding(error);
  return {
    name: "Error",
    message: ended
      ? error.message
      : "The platform could not answer this call; its operator finds the cause in the log",
    code: "INTERNAL_ERROR",
    fields: {},
  };
}
