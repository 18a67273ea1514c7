// Which rows a request is about, when it is not about all: the row of an id, those that filters match, those that an
// insert would collide with.

import { AppError } from "../../core/errors.ts";
import type { Column, Table } from "../catalogue/mod.ts";
import type { ColumnLookup } from "./column_lookup.ts";
import type { Condition } from "./conditions.ts";
import { isEqual } from "./operators.ts";
import type { Preferences } from "./preferences.ts";
import { type Query, readQuery, refused } from "./read_query.ts";
import type { Conflict } from "./statements.ts";

const isUuid = /^\{?[0-9a-f]{4}(-?[0-9a-f]{4}){7}\}?$/i;

/** @throws {AppError} VALIDATION_INVALID_SCHEMA without a single primary key, VALIDATION_INVALID_TYPE. */
export function keyCondition(table: Table, id: string): Condition[] {
  const [name, ...others] = table.primaryKey;
  const column = name === undefined ? undefined : table.columns.get(name);
  if (column === undefined || others.length > 0) {
    const why = others.length > 0 ? "its primary key has several columns" : "it has no primary key";
    throw new AppError("VALIDATION_INVALID_SCHEMA", `Cannot address a row of "${table.name}" by id: ${why}`, {
      remediation: `Use filters on the collection: /${table.name}?<column>=eq.<value>.`,
    });
  }
  if (column.type === "uuid" && !isUuid.test(id)) {
    throw new AppError(
      "VALIDATION_INVALID_TYPE",
      `The id "${id.slice(0, 100)}" is not a UUID, as "${name}" is`,
    );
  }
  return [{ kind: "compare", negated: false, column, comparison: isEqual, parameter: id }];
}

/** The filters of a change: without any it would touch every row, and a part of what they match cannot be told apart. */
export function readFilters(
  { params, prefer }: { params: URLSearchParams; prefer: Preferences },
  columns: ColumnLookup,
): Pick<Query, "conditions" | "select"> {
  const { conditions, select, order, limit, offset } = readQuery(params, columns, prefer);
  if (conditions.length === 0) {
    throw refused(
      `a change of "${columns.table.name}" without an id needs a filter, such as ?<column>=eq.<value>`,
    );
  }
  if (order.length > 0 || limit !== null || offset > 0) {
    throw refused("a change is of every row that the filters match: it takes no order, limit or offset");
  }
  return { conditions, select };
}

/** What an upsert takes for the same row: the primary key, or the columns of `on_conflict`. */
export function readConflict(
  text: string | null,
  columns: ColumnLookup,
  { resolution }: Preferences,
): Conflict | null {
  if (resolution === undefined) {
    if (text === null) return null;
    throw refused('"on_conflict" needs the header Prefer: resolution=merge-duplicates or ignore-duplicates');
  }
  const { table } = columns;
  const names = text === null ? table.primaryKey : text.split(",").map((name) => name.trim());
  const target = names.map((name) => columns.find(name)).filter((column): column is Column =>
    column !== undefined
  );
  if (target.length === 0 || target.length < names.length) {
    throw refused(
      text === null
        ? `"${table.name}" has no primary key: name the columns of a unique constraint in "on_conflict"`
        : `"on_conflict" names a column that "${table.name}" does not have`,
    );
  }
  return { columns: target, resolution: resolution === "merge-duplicates" ? "merge" : "ignore" };
}
