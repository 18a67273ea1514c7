// `ctx.db`: each call is run by the server on a connection that is logged in as the role of this invocation. Nothing
// here holds a connection or a credential.

import type { RowsHead } from "../protocol/messages.ts";
import type { Bytes } from "../protocol/frames.ts";
import { unpackRows } from "../protocol/rows.ts";
import type { CallAnswer, CallOf } from "./calls.ts";
import { decoderOf, encodeParameter } from "./database_values.ts";

/** What a query gives back. */
export interface QueryRows {
  rows: Record<string, unknown>[];
  /** Rows returned or changed. */
  rowCount: number;
  fields: { name: string; dataTypeID: number }[];
  command: string;
}

export interface Queries {
  query(text: string, parameters?: readonly unknown[]): Promise<QueryRows>;
}

export interface FunctionDatabase extends Queries {
  asUser<Value>(userId: string, run: (db: Queries) => Value | Promise<Value>): Promise<Value>;
  asAnon<Value>(run: (db: Queries) => Value | Promise<Value>): Promise<Value>;
  asService<Value>(run: (db: Queries) => Value | Promise<Value>): Promise<Value>;
}

type Call = (request: CallOf) => Promise<CallAnswer>;

export function createDatabase(call: Call): FunctionDatabase {
  const inTransaction = async <Value>(
    as: "user" | "anon" | "service",
    userId: string | null,
    run: (db: Queries) => Value | Promise<Value>,
  ): Promise<Value> => {
    if (typeof run !== "function") {
      throw new TypeError(`ctx.db.${nameOf(as)} needs a callback: async (db) => { … db.query(…) … }`);
    }
    const transaction = (await call({ method: "db.begin", as, userId })).value as number;
    let value: Value;
    try {
      value = await run(Object.freeze({ query: queryIn(call, transaction) }));
    } catch (error) {
      // The callback's own error is what its author wants to see, whatever becomes of the rollback.
      await call({ method: "db.end", transaction, how: "rollback" }).catch(() => {});
      throw error;
    }
    await call({ method: "db.end", transaction, how: "commit" });
    return value;
  };
  return Object.freeze({
    query: queryIn(call, null),
    asUser: (userId: string, run) => {
      if (typeof userId !== "string" || userId === "") {
        return Promise.reject(new TypeError("ctx.db.asUser needs the id of a user as its first argument"));
      }
      return inTransaction("user", userId, run);
    },
    asAnon: (run) => inTransaction("anon", null, run),
    asService: (run) => inTransaction("service", null, run),
  } as FunctionDatabase);
}

function nameOf(as: "user" | "anon" | "service"): string {
  return { user: "asUser", anon: "asAnon", service: "asService" }[as];
}

function queryIn(call: Call, transaction: number | null): Queries["query"] {
  return async (text, parameters = []) => {
    if (typeof text !== "string") throw new TypeError("The first argument of query is the SQL text");
    if (!Array.isArray(parameters)) {
      throw new TypeError("The second argument of query is an array: its values stand for $1, $2, …");
    }
    const { value, tail } = await call({
      method: "db.query",
      transaction,
      text,
      parameters: parameters.map(encodeParameter),
    });
    return readRows(value as RowsHead, tail);
  };
}

function readRows(head: RowsHead, packed: Bytes): QueryRows {
  const columns = head.columns.map(([name, type]) => ({ name, decode: decoderOf(type) }));
  const rows: Record<string, unknown>[] = [];
  let column = 0;
  let row: Record<string, unknown> = {};
  unpackRows(packed, (value) => {
    const { name, decode } = columns[column] as (typeof columns)[number];
    const decoded = value === null ? null : decode(value);
    // A column named __proto__ is a column.
    if (name === "__proto__") Object.defineProperty(row, name, { value: decoded, enumerable: true });
    else row[name] = decoded;
    column++;
    if (column === columns.length) {
      rows.push(row);
      row = {};
      column = 0;
    }
  });
  return {
    rows,
    rowCount: head.rowCount,
    fields: head.columns.map(([name, dataTypeID]) => ({ name, dataTypeID })),
    command: head.command,
  };
}
