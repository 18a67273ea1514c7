// What an app's database holds, asked of PostgreSQL's own catalogs: every definition in PostgreSQL's own spelling, so that
// two of them mean the same exactly when they read the same.

import { type QueryResult, rowValues, type Statement } from "../statement.ts";

/** Runs a statement in an app's database. */
export type RunStatement = (statement: Statement) => Promise<QueryResult>;

/** `public`: the app's tables. `temporary`: those that the session has made for itself. */
export type CatalogueNamespace = "public" | "temporary";

export interface TableRow {
  oid: number;
  name: string;
  kind: "r" | "p";
  row_security: boolean;
  open: boolean;
  columns: ColumnRow[];
  constraints: ConstraintRow[];
  indexes: IndexRow[];
}

export interface ColumnRow {
  name: string;
  type: string;
  type_oid: number;
  not_null: boolean;
  default: string | null;
  /** `a` always, `d` by default, else empty. */
  identity: string;
  /** `s` stored, `v` virtual, else empty. */
  generated: string;
  /** The sequence that the column owns, as SQL names it. */
  sequence: string | null;
}

export interface ConstraintRow {
  name: string;
  /** Primary key, unique, foreign key, check. */
  type: "p" | "u" | "f" | "c";
  columns: string[];
  expression: string | null;
  references_table: string | null;
  references_columns: string[];
  on_delete: string;
  on_update: string;
}

export interface IndexRow {
  name: string;
  unique: boolean;
  method: string;
  /** `null` stands for an expression. */
  columns: (string | null)[];
  /** The operator class of each column, `null` where it is the type's default. */
  opclasses: (string | null)[];
  predicate: string | null;
  /** Sort direction, INCLUDE or NULLS NOT DISTINCT, which the columns alone do not say. */
  extras: boolean;
  valid: boolean;
}

const namespaceOf: Readonly<Record<CatalogueNamespace, string>> = {
  public: "'public'::regnamespace",
  temporary: "pg_my_temp_schema()",
};

const columnsOf = `(
  select coalesce(json_agg(json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'type_oid', a.atttypid::int8,
    'not_null', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity,
    'generated', a.attgenerated, 'sequence', (
      select s.oid::regclass::text from pg_depend o join pg_class s on s.oid = o.objid and s.relkind = 'S'
      where o.classid = 'pg_class'::regclass and o.refclassid = 'pg_class'::regclass and o.refobjid = c.oid
        and o.refobjsubid = a.attnum and o.deptype in ('a', 'i') limit 1)
  ) order by a.attnum), '[]')
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`;

const namesOf = (relation: string, keys: string) =>
  `(
  select coalesce(json_agg(a.attname order by k.at), '[]')
  from unnest(${keys}) with ordinality k(attnum, at)
  join pg_attribute a on a.attrelid = ${relation} and a.attnum = k.attnum)`;

const constraintsOf = `(
  select coalesce(json_agg(json_build_object(
    'name', n.conname, 'type', n.contype, 'columns', ${namesOf("n.conrelid", "n.conkey")},
    'expression', pg_get_expr(n.conbin, n.conrelid),
    'references_table', (select f.relname from pg_class f where f.oid = n.confrelid),
    'references_columns', ${namesOf("n.confrelid", "n.confkey")},
    'on_delete', n.confdeltype, 'on_update', n.confupdtype
  ) order by n.conname), '[]')
  from pg_constraint n where n.conrelid = c.oid and n.contype in ('p', 'u', 'f', 'c') and n.conparentid = 0)`;

const indexesOf = `(
  select coalesce(json_agg(json_build_object(
    'name', ic.relname, 'unique', i.indisunique, 'method', am.amname,
    'columns', (select json_agg(a.attname order by k.at)
      from unnest(i.indkey::int2[]) with ordinality k(attnum, at)
      left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum and k.attnum <> 0
      where k.at <= i.indnkeyatts),
    'opclasses', (select json_agg(case when oc.opcdefault then null else oc.opcname end order by k.at)
      from unnest(i.indclass::oid[]) with ordinality k(opclass, at) join pg_opclass oc on oc.oid = k.opclass),
    'predicate', pg_get_expr(i.indpred, i.indrelid),
    'extras', i.indnkeyatts <> i.indnatts or exists (select from unnest(i.indoption::int2[]) o where o <> 0)
      or coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
    'valid', i.indisvalid
  ) order by ic.relname), '[]')
  from pg_index i join pg_class ic on ic.oid = i.indexrelid join pg_am am on am.oid = ic.relam
  where i.indrelid = c.oid and not i.indisprimary
    and not exists (select from pg_constraint n where n.conindid = i.indexrelid and n.conrelid = c.oid))`;

const tablesIn = (namespace: CatalogueNamespace) => `
  select json_build_object('oid', c.oid::int8, 'name', c.relname, 'kind', c.relkind,
    'row_security', c.relrowsecurity,
    'open', exists (select from butterbase.open_tables o where o.table_oid = c.oid),
    'columns', ${columnsOf}, 'constraints', ${constraintsOf}, 'indexes', ${indexesOf})
  from pg_class c
  where c.relnamespace = ${namespaceOf[namespace]} and c.relkind in ('r', 'p')
  order by c.relname collate "C"`;

const tablesQuestions: Readonly<Record<CatalogueNamespace, Statement>> = {
  public: { text: tablesIn("public"), parameters: [] },
  temporary: { text: tablesIn("temporary"), parameters: [] },
};

/** The tables of a namespace, by name. */
export async function readTables(run: RunStatement, namespace: CatalogueNamespace): Promise<TableRow[]> {
  const decoder = new TextDecoder();
  const rows = rowValues(await run(tablesQuestions[namespace]));
  return rows.map(([row]) => JSON.parse(decoder.decode(row as Uint8Array)));
}

/** Every change of a definition writes a row of one of these catalogs anew. */
const revisionParts = [
  "pg_class c where c.relnamespace = 'public'::regnamespace",
  "pg_attribute x join pg_class c on c.oid = x.attrelid where c.relnamespace = 'public'::regnamespace",
  "pg_attrdef x join pg_class c on c.oid = x.adrelid where c.relnamespace = 'public'::regnamespace",
  "pg_constraint x where x.connamespace = 'public'::regnamespace",
  "pg_index x join pg_class c on c.oid = x.indrelid where c.relnamespace = 'public'::regnamespace",
  "butterbase.open_tables x",
].map((from) => {
  const row = from.startsWith("pg_class") ? "c" : "x";
  return `(select count(*) || ':' || coalesce(sum(hashint8(${row}.xmin::text::int8)::int8), 0) from ${from})`;
});
const revisionQuestion: Statement = {
  text: `select concat_ws(' ', ${revisionParts.join(", ")})`,
  parameters: [],
};

/** Changes with every change of a table, whoever makes it; much quicker to ask than the tables themselves. */
export async function readRevision(run: RunStatement): Promise<string> {
  const [row] = rowValues(await run(revisionQuestion));
  return new TextDecoder().decode(row?.[0] as Uint8Array);
}
