// The SQL of each change to a table. Names are quoted, types are in PostgreSQL's own spelling, and expressions are the
// document's, in parentheses: made from its own spelling they could read back as another.

import type { Check, Column, ForeignKey, Index } from "../catalogue/mod.ts";
import { inParentheses } from "../sql/grammar.ts";
import { quoteName, quoteNames, quoteText } from "../sql/quote.ts";
import { fittingName } from "./names.ts";

/** A column as it is to be. */
export type WantedColumn = Pick<Column, "name" | "type" | "nullable" | "default"> & {
  /** The default, or what the column is computed from, as the document has it. */
  readonly expression: string | null;
  readonly serial: boolean;
  readonly computed: boolean;
};

export interface WantedTable {
  readonly name: string;
  readonly columns: readonly WantedColumn[];
  readonly primaryKey: readonly string[];
  readonly uniques: readonly (readonly string[])[];
  readonly checks: readonly Check[];
}

const tableName = (table: string) => `public.${quoteName(table)}`;
const alter = (table: string, rest: string) => `alter table ${tableName(table)} ${rest}`;
const alterColumn = (table: string, column: string, rest: string) =>
  alter(table, `alter column ${quoteName(column)} ${rest}`);

const serialTypes: Readonly<Record<string, string>> = {
  smallint: "smallserial",
  integer: "serial",
  bigint: "bigserial",
};

/** The type as the document's language names it. */
export function typeWord(type: string, serial: boolean): string {
  return serial ? serialTypes[type] ?? type : type;
}

function columnSql({ name, type, nullable, expression, serial, computed }: WantedColumn): string {
  const parts = [quoteName(name), typeWord(type, serial)];
  if (expression !== null) {
    const text = inParentheses(expression);
    parts.push(computed ? `generated always as ${text} stored` : `default ${text}`);
  }
  if (!nullable && !serial) parts.push("not null");
  return parts.join(" ");
}

export const sqlOf = {
  createTable({ name, columns, primaryKey, uniques, checks }: WantedTable): string {
    const lines = [
      ...columns.map(columnSql),
      ...(primaryKey.length === 0 ? [] : [`primary key (${quoteNames(primaryKey)})`]),
      ...uniques.map((unique) => `unique (${quoteNames(unique)})`),
      ...checks.map((check) =>
        `constraint ${quoteName(check.name)} check ${inParentheses(check.expression)}`
      ),
    ];
    return lines.length === 0
      ? `create table ${tableName(name)} ()`
      : `create table ${tableName(name)} (\n  ${lines.join(",\n  ")}\n)`;
  },
  dropTables: (tables: readonly string[]) => `drop table ${tables.map(tableName).join(", ")}`,
  addColumn: (table: string, column: WantedColumn) => alter(table, `add column ${columnSql(column)}`),
  dropColumn: (table: string, column: string) => alter(table, `drop column ${quoteName(column)}`),
  changeType: (table: string, column: string, type: string) =>
    alterColumn(table, column, `type ${type} using ${quoteName(column)}::${type}`),
  setDefault: (table: string, column: string, expression: string) =>
    alterColumn(table, column, `set default ${inParentheses(expression)}`),
  dropDefault: (table: string, column: string) => alterColumn(table, column, "drop default"),
  setNotNull: (table: string, column: string) => alterColumn(table, column, "set not null"),
  dropNotNull: (table: string, column: string) => alterColumn(table, column, "drop not null"),
  addPrimaryKey: (table: string, columns: readonly string[]) =>
    alter(table, `add primary key (${quoteNames(columns)})`),
  addUnique: (table: string, columns: readonly string[]) =>
    alter(table, `add unique (${quoteNames(columns)})`),
  addCheck: (table: string, { name, expression }: Check) =>
    alter(table, `add constraint ${quoteName(name)} check ${inParentheses(expression)}`),
  dropConstraint: (table: string, name: string) => alter(table, `drop constraint ${quoteName(name)}`),
  addForeignKey(table: string, key: Omit<ForeignKey, "name">): string {
    const actions = [
      key.onDelete === "NO ACTION" ? "" : ` on delete ${key.onDelete.toLowerCase()}`,
      key.onUpdate === "NO ACTION" ? "" : ` on update ${key.onUpdate.toLowerCase()}`,
    ];
    return alter(
      table,
      `add constraint ${quoteName(foreignKeyName(table, key.columns))} foreign key (${
        quoteNames(key.columns)
      }) ` +
        `references ${tableName(key.table)} (${quoteNames(key.references)})${actions.join("")}`,
    );
  },
  createIndex(table: string, { name, unique, method, columns, opclass, where }: Index): string {
    const keys = columns.map((column) => quoteName(column ?? "") + (opclass === null ? "" : ` ${opclass}`));
    return `create ${unique ? "unique " : ""}index ${quoteName(name)} on ${tableName(table)} ` +
      `using ${method} (${keys.join(", ")})${where === null ? "" : ` where ${inParentheses(where)}`}`;
  },
  dropIndex: (name: string) => `drop index public.${quoteName(name)}`,
  rowSecurity: (table: string, state: "enable" | "disable") => alter(table, `${state} row level security`),
  setOpen: (table: string, open: boolean) => `select butterbase.set_table_open(${quoteText(table)}, ${open})`,
  createSequence: (sequence: string, type: string, table: string, column: string) =>
    `create sequence public.${quoteName(sequence)} as ${type} owned by ${tableName(table)}.${
      quoteName(column)
    }`,
  /** From behind the largest value that there is. */
  startSequence: (sequence: string, table: string, column: string) =>
    `select setval(${quoteText(`public.${quoteName(sequence)}`)}, ` +
    `greatest(coalesce(max(${quoteName(column)}), 0), 0) + 1, false) from ${tableName(table)}`,
  /** `sequence` as PostgreSQL names it. */
  sequenceType: (sequence: string, type: string) => `alter sequence ${sequence} as ${type}`,
  dropSequence: (sequence: string) => `drop sequence ${sequence}`,
  dropIdentity: (table: string, column: string) => alterColumn(table, column, "drop identity"),
};

export function foreignKeyName(table: string, columns: readonly string[]): string {
  return fittingName(["fk", table, ...columns].join("_"));
}

export function sequenceName(table: string, column: string): string {
  return fittingName([table, column, "seq"].join("_"));
}

export const nextValue = (sequence: string) =>
  `nextval(${quoteText(`public.${quoteName(sequence)}`)}::regclass)`;
