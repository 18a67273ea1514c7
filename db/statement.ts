// Statements and results of an app's database as they pass through the server: parameters as text whose type PostgreSQL
// decides, values as the bytes that came. Nothing here reads SQL beyond asking whether it may hold several statements.

import { QueryError } from "./query_error.ts";
import type { Column } from "./wire/mod.ts";

/** SQL with its parameters in PostgreSQL's text format (`{1,2}` an array, `\x00ff` a bytea), or null. */
export interface Statement {
  text: string;
  parameters: readonly (string | null)[];
}

export interface QueryResult {
  /** Names of the columns and the oids of their types. */
  columns: Column[];
  /** Values in PostgreSQL's text format, unparsed. */
  rows: (Uint8Array | null)[][];
  /** Rows read or changed. */
  rowCount: number;
  /** `SELECT`, `INSERT`, `CREATE TABLE` …; of the last statement when there were several. */
  command: string;
}

export const emptyResult: QueryResult = Object.freeze({ columns: [], rows: [], rowCount: 0, command: "" });

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
  return parameters.length === 0 && text.trimEnd().replace(/;$/, "").includes(";");
}
