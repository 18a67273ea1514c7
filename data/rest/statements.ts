// The one statement of each request. Names come from the catalogue and are quoted, values are bound; what is written into
// the text is a whole number of ours at most, so that PostgreSQL can plan with it.

import type { Statement } from "../../db/mod.ts";
import type { Column, Table } from "../catalogue/mod.ts";
import { quoteName, quoteNames } from "../sql/quote.ts";
import { renderColumns, tableAlias } from "./columns_json.ts";
import { columnSql, type Condition, Parameters, whereSql } from "./conditions.ts";
import type { Query } from "./read_query.ts";
import type { Cell, Rows } from "./read_rows.ts";

/** What one answer may hold. */
export interface AnswerLimits {
  rows: number;
  bytes: number;
}

/** Whether the statement answers with the rows, as one JSON array, or only with their number. */
export type Returning = { rows: readonly Column[] } | "nothing";

/** Begins the error that a statement ends with when its answer passes the limits; nothing of it is done then. */
export const tooLargeMark = "the answer is too large:";

export interface Listing extends Query {
  /** Whether to count the rows that `limit` and `offset` leave out. */
  count: boolean;
}

export function selectStatement(table: Table, listing: Listing, limits: AnswerLimits): Statement {
  const parameters = new Parameters();
  const from = `from ${sourceOf(table)}${whereSql(listing.conditions, parameters)}`;
  const order = listing.order.map(({ column, direction }) => `${columnSql(column)}${direction}`).join(", ");
  // One row more than may be answered shows that there are more.
  const limit = Math.min(listing.limit ?? Infinity, limits.rows + 1);
  const offset = listing.offset === 0 ? "" : ` offset ${parameters.add(String(listing.offset))}::int8`;
  const rows = `(select ${renderColumns(table, listing.select)} ${from}${
    order && ` order by ${order}`
  } limit ${limit}${offset})`;
  const counts = listing.count ? `, rows, (select count(*) ${from})` : "";
  return { text: answerOf(rows, limits, counts), parameters: parameters.values };
}

export type Conflict = { columns: readonly Column[]; resolution: "merge" | "ignore" };

export function insertStatement(
  table: Table,
  { rows, conflict, returning, limits }: {
    rows: Rows;
    conflict: Conflict | null;
    returning: Returning;
    limits: AnswerLimits;
  },
): Statement {
  const parameters = new Parameters();
  const place = (cell: Cell | undefined) => cell === undefined ? "default" : parameters.add(cell.parameter);
  const values = rows.rows.map((row) =>
    `(${rows.columns.map((column) => place(row.get(column))).join(", ")})`
  );
  const change = `insert into ${sourceOf(table)} (${namesOf(rows.columns)}) values ${values.join(", ")}${
    conflict === null ? "" : onConflict(conflict, rows.columns)
  }`;
  return changeStatement(table, change, { parameters, returning, limits });
}

export interface ChangeParts {
  conditions: readonly Condition[];
  returning: Returning;
  limits: AnswerLimits;
}

export function updateStatement(
  table: Table,
  row: ReadonlyMap<Column, Cell>,
  { conditions, ...parts }: ChangeParts,
): Statement {
  const parameters = new Parameters();
  const set = [...row].map(([{ name }, cell]) => `${quoteName(name)} = ${parameters.add(cell.parameter)}`);
  const where = whereSql(conditions, parameters);
  return changeStatement(table, `update ${sourceOf(table)} set ${set.join(", ")}${where}`, {
    parameters,
    ...parts,
  });
}

export function deleteStatement(table: Table, { conditions, ...parts }: ChangeParts): Statement {
  const parameters = new Parameters();
  const where = whereSql(conditions, parameters);
  return changeStatement(table, `delete from ${sourceOf(table)}${where}`, { parameters, ...parts });
}

function changeStatement(
  table: Table,
  change: string,
  { parameters, returning, limits }: { parameters: Parameters; returning: Returning; limits: AnswerLimits },
): Statement {
  if (returning === "nothing") return { text: change, parameters: parameters.values };
  const text = `with changed as (${change} returning ${renderColumns(table, returning.rows)}) ${
    answerOf("changed", limits)
  }`;
  return { text, parameters: parameters.values };
}

function onConflict({ columns, resolution }: Conflict, given: readonly Column[]): string {
  const target = ` on conflict (${namesOf(columns)}) do`;
  if (resolution === "ignore") return `${target} nothing`;
  const others = given.filter((column) => !columns.includes(column));
  // Something has to be set for the row to be returned.
  const set = (others.length > 0 ? others : columns.slice(0, 1)).map(({ name }) => quoteName(name));
  return `${target} update set ${set.map((name) => `${name} = excluded.${name}`).join(", ")}`;
}

/**
 * The rows as one JSON array. A limit is kept by an error, which also undoes a change whose answer would be too large.
 */
function answerOf(rows: string, limits: AnswerLimits, counts = ""): string {
  return `select case when rows > ${limits.rows} or octet_length(body) > ${limits.bytes}
    then ('${tooLargeMark} ' || rows || ' rows, ' || octet_length(body) || ' bytes')::boolean::text else body end${counts}
    from (select count(*) as rows, coalesce(json_agg(r.*)::text, '[]') as body from ${rows} as r) as answer`;
}

function sourceOf({ name }: Table): string {
  return `public.${quoteName(name)} as ${tableAlias}`;
}

function namesOf(columns: readonly Column[]): string {
  return quoteNames(columns.map(({ name }) => name));
}
