// The tables of an app's database as the platform knows them: PostgreSQL's own spellings, in maps, since any word may be a
// name.

import type { ColumnRow, ConstraintRow, IndexRow, TableRow } from "../../db/queries/catalogue.ts";

export interface Column {
  readonly name: string;
  /** As `format_type` gives it: `character varying(20)`, `timestamp with time zone`. */
  readonly type: string;
  readonly typeOid: number;
  readonly nullable: boolean;
  /** PostgreSQL's text of the default, or of what a computed column is computed from. */
  readonly default: string | null;
  /** Whether PostgreSQL gives a value when an insert has none, without a default that somebody wrote. */
  readonly generated: boolean;
  /** Where that value comes from; `identity_always` and `computed` take no other. */
  readonly origin: "plain" | "serial" | "identity" | "identity_always" | "computed";
  /** The sequence behind a serial or identity column, as SQL names it. */
  readonly sequence: string | null;
}

export interface Unique {
  readonly name: string;
  readonly columns: readonly string[];
}

export type ReferenceAction = "NO ACTION" | "RESTRICT" | "CASCADE" | "SET NULL" | "SET DEFAULT";

export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  /** The table that is referred to, and its columns. */
  readonly table: string;
  readonly references: readonly string[];
  readonly onDelete: ReferenceAction;
  readonly onUpdate: ReferenceAction;
}

export interface Check {
  readonly name: string;
  readonly expression: string;
}

export interface Index {
  readonly name: string;
  /** `null` stands for an expression. */
  readonly columns: readonly (string | null)[];
  readonly unique: boolean;
  readonly method: string;
  /** Operator class of all columns, where it is not the default of their types. */
  readonly opclass: string | null;
  readonly where: string | null;
  /** Whether the above says all of it: no expression, sort direction, INCLUDE, or class of a single column. */
  readonly plain: boolean;
}

export interface Table {
  readonly name: string;
  readonly oid: number;
  readonly kind: "ordinary" | "partitioned";
  readonly columns: ReadonlyMap<string, Column>;
  readonly primaryKey: readonly string[];
  /** Unique constraints; unique indexes are among the indexes. */
  readonly uniques: readonly Unique[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly checks: readonly Check[];
  /** Those that no constraint has made. */
  readonly indexes: readonly Index[];
  /** Whether row-level security is enabled. */
  readonly rowSecurity: boolean;
  /** Opened on purpose to end users and anonymous callers, without row-level security. */
  readonly open: boolean;
}

export interface Catalogue {
  readonly tables: ReadonlyMap<string, Table>;
  /** Changes with every change of a table. */
  readonly revision: string;
}

/** Tables that the platform, this or the former one, keeps for itself. */
const platformTables: ReadonlySet<string> = new Set([
  "_ai_migrations",
  "_data_plane_migrations",
  "_idempotency_keys",
  "_rag_chunks",
  "_rag_collections",
  "_rag_documents",
  "_seed_tables",
]);

export function isPlatformTable(name: string): boolean {
  return platformTables.has(name);
}

/** The catalogue's tables from PostgreSQL's rows, without the platform's own. */
export function tablesFrom(rows: readonly TableRow[]): ReadonlyMap<string, Table> {
  return new Map(rows.filter(({ name }) => !isPlatformTable(name)).map((row) => [row.name, tableFrom(row)]));
}

function tableFrom(row: TableRow): Table {
  const ofType = (type: ConstraintRow["type"]) =>
    row.constraints.filter((constraint) => constraint.type === type);
  return {
    name: row.name,
    oid: row.oid,
    kind: row.kind === "p" ? "partitioned" : "ordinary",
    columns: new Map(row.columns.map((column) => [column.name, columnFrom(column)])),
    primaryKey: ofType("p")[0]?.columns ?? [],
    uniques: ofType("u").map(({ name, columns }) => ({ name, columns })),
    foreignKeys: ofType("f").map(foreignKeyFrom),
    checks: ofType("c").map(({ name, expression }) => ({ name, expression: expression ?? "" })),
    indexes: row.indexes.map(indexFrom),
    rowSecurity: row.row_security,
    open: row.open,
  };
}

function columnFrom(row: ColumnRow): Column {
  const origin = originOf(row);
  return {
    name: row.name,
    type: row.type,
    typeOid: row.type_oid,
    nullable: !row.not_null,
    default: row.default,
    generated: origin !== "plain",
    origin,
    sequence: origin === "plain" || origin === "computed" ? null : row.sequence,
  };
}

function originOf({ identity, generated, sequence, default: text }: ColumnRow): Column["origin"] {
  if (identity !== "") return identity === "a" ? "identity_always" : "identity";
  if (generated !== "") return "computed";
  return sequence !== null && text?.startsWith("nextval(") ? "serial" : "plain";
}

const actions: Readonly<Record<string, ReferenceAction>> = {
  a: "NO ACTION",
  r: "RESTRICT",
  c: "CASCADE",
  n: "SET NULL",
  d: "SET DEFAULT",
};

function foreignKeyFrom(row: ConstraintRow): ForeignKey {
  return {
    name: row.name,
    columns: row.columns,
    table: row.references_table ?? "",
    references: row.references_columns,
    onDelete: actions[row.on_delete] ?? "NO ACTION",
    onUpdate: actions[row.on_update] ?? "NO ACTION",
  };
}

function indexFrom(row: IndexRow): Index {
  const opclasses = new Set(row.opclasses);
  return {
    name: row.name,
    columns: row.columns,
    unique: row.unique,
    method: row.method,
    opclass: row.opclasses[0] ?? null,
    where: row.predicate,
    plain: !row.extras && row.valid && opclasses.size === 1 && !row.columns.includes(null),
  };
}
