// Tables as a document of the schema language: applied again, it changes nothing.

import type { Check, Column, ForeignKey, Index, Table } from "../catalogue/mod.ts";
import { typeWord } from "./statements.ts";

/** The document for `tables`. */
export function schemaView(tables: ReadonlyMap<string, Table>): { tables: Record<string, unknown> } {
  return { tables: Object.fromEntries([...tables].map(([name, table]) => [name, tableView(table)])) };
}

function tableView(table: Table): Record<string, unknown> {
  const composite = table.primaryKey.length > 1 ? table.primaryKey : null;
  const references = new Map(
    table.foreignKeys.filter(({ columns }) => columns.length === 1)
      .map((key) => [key.columns[0] as string, key]),
  );
  const unique = new Set(
    table.uniques.filter(({ columns }) => columns.length === 1).map(({ columns }) => columns[0]),
  );
  const columns = [...table.columns.values()].map((column) => [
    column.name,
    columnView(column, {
      primaryKey: composite === null && table.primaryKey.includes(column.name),
      inKey: table.primaryKey.includes(column.name),
      unique: unique.has(column.name),
      reference: references.get(column.name),
    }),
  ]);
  // An index over expressions alone has no column to show.
  const indexes = table.indexes.filter(({ name, columns }) =>
    !name.endsWith("_pkey") && columns.some((column) => column !== null)
  );
  const further = table.foreignKeys.filter((key) =>
    key.columns.length > 1 || references.get(key.columns[0] as string) !== key
  );
  const sets = table.uniques.filter(({ columns }) => columns.length > 1);
  return {
    columns: Object.fromEntries(columns),
    ...(composite === null ? {} : { primaryKey: composite }),
    ...(sets.length === 0 ? {} : { uniques: sets.map((set) => set.columns) }),
    ...(further.length === 0 ? {} : { foreignKeys: further.map(foreignKeyView) }),
    ...(table.checks.length === 0 ? {} : { checks: checksView(table.checks) }),
    ...(indexes.length === 0
      ? {}
      : { indexes: Object.fromEntries(indexes.map((index) => [index.name, indexView(index)])) }),
    ...(table.rowSecurity ? { rls: true } : table.open ? { rls: false } : {}),
  };
}

interface ColumnFacts {
  primaryKey: boolean;
  inKey: boolean;
  unique: boolean;
  reference: ForeignKey | undefined;
}

function columnView(
  column: Column,
  { primaryKey, inKey, unique, reference }: ColumnFacts,
): Record<string, unknown> {
  const counting = column.generated && column.origin !== "computed";
  return {
    type: typeWord(column.type, counting),
    ...(primaryKey ? { primaryKey: true } : {}),
    ...(column.nullable || inKey ? {} : { nullable: false }),
    ...(unique ? { unique: true } : {}),
    ...(reference === undefined ? {} : { references: referenceView(reference) }),
    ...(column.default === null || counting
      ? {}
      : { [column.origin === "computed" ? "generated" : "default"]: column.default }),
  };
}

function referenceView({ table, references, onDelete, onUpdate }: ForeignKey): unknown {
  const column = references[0] as string;
  const named = onDelete === "NO ACTION" && onUpdate === "NO ACTION" && !`${table}${column}`.includes(".");
  return named ? `${table}.${column}` : { table, column, ...actionsView({ onDelete, onUpdate }) };
}

function foreignKeyView({ columns, table, references, onDelete, onUpdate }: ForeignKey): unknown {
  return { columns, table, references, ...actionsView({ onDelete, onUpdate }) };
}

function actionsView(
  { onDelete, onUpdate }: Pick<ForeignKey, "onDelete" | "onUpdate">,
): Record<string, unknown> {
  return {
    ...(onDelete === "NO ACTION" ? {} : { onDelete }),
    ...(onUpdate === "NO ACTION" ? {} : { onUpdate }),
  };
}

function checksView(checks: readonly Check[]): Record<string, string> {
  return Object.fromEntries(checks.map(({ name, expression }) => [name, expression]));
}

function indexView({ columns, unique, method, opclass, where, plain }: Index): Record<string, unknown> {
  return {
    columns: columns.filter((column) => column !== null),
    ...(unique ? { unique: true } : {}),
    ...(method === "btree" ? {} : { method }),
    ...(plain && opclass !== null ? { opclass } : {}),
    ...(where === null ? {} : { where }),
  };
}
