// Rows of a request's body. Keys that the table does not have are left out, as clients expect; a column that one row of
// several does not name gets its default there.

import { AppError } from "../../core/errors.ts";
import type { Column } from "../catalogue/mod.ts";
import type { ColumnLookup } from "./column_lookup.ts";
import { parameterFor } from "./values.ts";

/** The value for a column, ready to be bound. */
export interface Cell {
  readonly parameter: string | null;
}

export type Row = ReadonlyMap<Column, Cell>;

export interface Rows {
  /** Every column that some row names. */
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** What one statement can bind. */
const mostCells = 65_535;

/** @throws {AppError} VALIDATION_INVALID_SCHEMA, naming the row. */
export function readRows(values: readonly unknown[], columns: ColumnLookup, most: number): Rows {
  if (values.length > most) {
    throw bodyFault(columns, `it has ${values.length} rows, and at most ${most} are inserted at once`);
  }
  const where = (at: number) => values.length === 1 ? "" : `row ${at + 1} of ${values.length} `;
  const rows = values.map((value, at) => readRow(value, columns, where(at)));
  const named = new Set(rows.flatMap((row) => [...row.keys()]));
  const cells = rows.reduce((sum, row) => sum + row.size, 0);
  if (cells > mostCells) {
    throw bodyFault(columns, `it has ${cells} values, and at most ${mostCells} are inserted at once`);
  }
  return { columns: [...named], rows };
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA. */
export function readRow(value: unknown, columns: ColumnLookup, where = ""): Row {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bodyFault(columns, `${where || "the body "}must be a JSON object of columns and values`);
  }
  const row = new Map<Column, Cell>();
  for (const [key, each] of Object.entries(value)) {
    const column = columns.find(key);
    if (column !== undefined) row.set(column, { parameter: parameterFor(each, column) });
  }
  if (row.size > 0) return row;
  const names = [...columns.table.columns.keys()].map((name) => `"${name}"`).join(", ");
  throw bodyFault(
    columns,
    `${where || "the body "}names no column of the table, which has ${names || "none"}`,
  );
}

function bodyFault({ table }: ColumnLookup, why: string): AppError {
  return new AppError("VALIDATION_INVALID_SCHEMA", `Cannot write to "${table.name}": ${why}`);
}
