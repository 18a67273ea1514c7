// Statements and results of an app's database as they pass through the server: parameters as text whose type PostgreSQL
// decides, rows as the bytes that came. Nothing here reads SQL beyond asking which protocol and which path may carry it.

import { QueryError } from "./query_error.ts";
import { type Column, Fields, type StatementResult } from "./wire/mod.ts";

/** SQL with its parameters in PostgreSQL's text format (`{1,2}` an array, `\x00ff` a bytea), or null. */
export interface Statement {
  text: string;
  parameters: readonly (string | null)[];
}

export interface QueryResult {
  /** Names of the columns and the oids of their types. */
  columns: readonly Column[];
  /** How many rows `data` holds. */
  rows: number;
  /** The rows as PostgreSQL's DataRow messages, one after another, with values in text format. */
  data: Uint8Array<ArrayBuffer>;
  /** Rows read or changed. */
  rowCount: number;
  /** `SELECT`, `INSERT`, `CREATE TABLE` …; of the last statement when there were several. */
  command: string;
}

/** The result of a statement whose columns are `columns`, or those that came with it. */
export function queryResult(
  result: StatementResult | undefined,
  columns: readonly Column[] | null = null,
): QueryResult {
  if (result === undefined) {
    return { columns: [], rows: 0, data: new Uint8Array(0), rowCount: 0, command: "" };
  }
  const { rows, data, rowCount, command } = result;
  return { columns: result.columns ?? columns ?? [], rows, data, rowCount, command };
}

/** The values of each row in PostgreSQL's text format, unparsed; `null` is NULL. */
export function rowValues({ data }: Pick<QueryResult, "data">): (Uint8Array | null)[][] {
  const fields = new Fields(data);
  const rows: (Uint8Array | null)[][] = [];
  while (!fields.done) {
    fields.bytes(5);
    const count = fields.int16();
    rows.push(Array.from({ length: count }, () => {
      const size = fields.int32();
      return size < 0 ? null : fields.bytes(size);
    }));
  }
  return rows;
}

/** @throws {QueryError} for what the protocol cannot carry. */
export function checkStatement({ text, parameters }: Statement): void {
  if (text.includes("\0")) {
    throw new QueryError({ code: "22021", message: "A statement cannot hold the character U+0000" });
  }
  if (parameters.length > 65535) {
    throw new QueryError({
      code: "54023",
      message: `A statement takes at most 65535 parameters: ${parameters.length} given`,
    });
  }
}

/** Whether only the simple protocol takes it: no parameters, and perhaps more than one statement. */
export function needsSimpleProtocol({ text, parameters }: Statement): boolean {
  return parameters.length === 0 && text.includes(";") && text.trimEnd().replace(/;$/, "").includes(";");
}

/** Whether it is one that reads or changes rows, and so neither ends the transaction nor drops prepared statements itself. */
export function isPlain({ text }: Statement): boolean {
  return /^\s*(select|insert|update|delete|merge|with|values|table)\b/i.test(text);
}
