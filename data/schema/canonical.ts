// Has PostgreSQL itself say what a document means: its columns, expressions and indexes are made in temporary tables, read
// back in PostgreSQL's spelling, and undone. So two documents that mean the same compare as equal.

import { QueryError } from "../../db/mod.ts";
import { readTables, type RunStatement } from "../../db/queries/catalogue.ts";
import { type Table, tablesFrom } from "../catalogue/mod.ts";
import { inParentheses } from "../sql/grammar.ts";
import { quoteName } from "../sql/quote.ts";
import type { IndexDraft, SchemaDocument, TableDraft } from "./document.ts";
import { schemaFailure, type Subject } from "./failure.ts";

export interface CanonicalParts {
  /** In a transaction, which this leaves as it was. */
  run: RunStatement;
  document: SchemaDocument;
  actual: ReadonlyMap<string, Table>;
}

/**
 * The document's tables in PostgreSQL's spelling, without keys and foreign keys, and with the columns that it leaves alone.
 * @throws {AppError} SCHEMA_MIGRATION_FAILED, naming the table and column whose type or expression PostgreSQL refuses.
 */
export async function canonicalTables(
  { run, document, actual }: CanonicalParts,
): Promise<ReadonlyMap<string, Table>> {
  await sql(run, "savepoint canonical");
  for (const draft of document.tables.values()) await makeTable(run, draft, actual.get(draft.name));
  const tables = new Map(tablesFrom(await readTables(run, "temporary")));
  for (const draft of document.tables.values()) {
    const [present, table] = [actual.get(draft.name), tables.get(draft.name)];
    if (present !== undefined && table !== undefined) {
      tables.set(draft.name, await keepSpelling(run, { draft, present, table }));
    }
  }
  await sql(run, "rollback to savepoint canonical; release savepoint canonical");
  return tables;
}

async function makeTable(run: RunStatement, draft: TableDraft, present: Table | undefined): Promise<void> {
  const name = quoteName(draft.name);
  const make = async (subject: Subject, text: string) => {
    try {
      await sql(run, text);
    } catch (error) {
      throw schemaFailure(error, { ...subject, table: draft.name });
    }
  };
  await make({ description: `table ${name}` }, `create temporary table ${name} ()`);
  const add = (column: string, rest: string) =>
    `alter table pg_temp.${name} add column ${quoteName(column)} ${rest}`;
  for (const { name: column, type } of present?.columns.values() ?? []) {
    if (draft.columns.has(column) || draft.dropColumns.has(column)) continue;
    await make({ column, description: `column ${quoteName(column)} of table ${name}` }, add(column, type));
  }
  // Computed columns last: they may be computed from any other.
  const columns = [...draft.columns.values()].sort((a, b) =>
    Number(a.computed !== null) - Number(b.computed !== null)
  );
  for (const { name: column, type, computed, default: preset } of columns) {
    const description = `column ${quoteName(column)} of table ${name}`;
    const rest = computed === null ? type : `${type} generated always as ${inParentheses(computed)} stored`;
    await make({ column, description }, add(column, rest));
    if (preset === null) continue;
    const alter = `alter table pg_temp.${name} alter column ${quoteName(column)} set default ${
      inParentheses(preset)
    }`;
    await make({ column, description: `the default of ${description}` }, alter);
  }
  for (const [check, expression] of draft.checks) {
    const description = `check ${quoteName(check)} of table ${name}`;
    await make({ description }, addCheck(draft.name, check, expression));
  }
  for (const index of draft.indexes?.values() ?? []) {
    // What the language cannot say stays as it is, whatever the document says of it.
    if (present?.indexes.some((each) => each.name === index.name && !each.plain)) continue;
    await make(
      { description: `index ${quoteName(index.name)} of table ${name}` },
      makeIndex(draft.name, index),
    );
  }
}

const addCheck = (table: string, name: string, expression: string) =>
  `alter table pg_temp.${quoteName(table)} add constraint ${quoteName(name)} check ${
    inParentheses(expression)
  }`;

function makeIndex(table: string, { name, unique, method, columns, opclass, where }: IndexDraft): string {
  const keys = columns.map((column) =>
    opclass === null ? quoteName(column) : `${quoteName(column)} ${opclass}`
  );
  return `create ${unique ? "unique " : ""}index ${quoteName(name)} on pg_temp.${quoteName(table)} ` +
    `using ${method} (${keys.join(", ")})${where === null ? "" : ` where ${inParentheses(where)}`}`;
}

/**
 * PostgreSQL's own spelling is not always one that it gives again (`in` over varchar becomes another at each reading). So
 * where the database's spelling, read once more, means what the document means, it stands.
 */
async function keepSpelling(
  run: RunStatement,
  { draft, present, table }: { draft: TableDraft; present: Table; table: Table },
): Promise<Table> {
  const columns = new Map(table.columns);
  for (const [name, { default: preset, computed }] of draft.columns) {
    const [wanted, found] = [columns.get(name), present.columns.get(name)];
    if (wanted === undefined || found === undefined || (preset ?? computed) === null) continue;
    if ((preset ?? computed) === found.default) columns.set(name, { ...wanted, default: found.default });
  }
  const checks = [];
  for (const check of table.checks) {
    const found = present.checks.find(({ name }) => name === check.name);
    const same = found !== undefined && found.expression !== check.expression &&
      await means(run, { table: draft.name, expression: found.expression, canonical: check.expression });
    checks.push(same ? found : check);
  }
  const indexes = [];
  for (const index of table.indexes) {
    const found = present.indexes.find(({ name }) => name === index.name);
    const differ = found !== undefined && found.where !== null && index.where !== null &&
      found.where !== index.where;
    const same = differ &&
      await means(run, { table: draft.name, expression: found.where, canonical: index.where });
    indexes.push(same ? { ...index, where: found.where } : index);
  }
  return { ...table, columns, checks, indexes };
}

/** Whether PostgreSQL, given `expression`, means what it spells as `canonical`. */
async function means(
  run: RunStatement,
  { table, expression, canonical }: { table: string; expression: string; canonical: string },
): Promise<boolean> {
  const probes = { butterbase_probe_1: expression, butterbase_probe_2: canonical };
  await sql(run, "savepoint probe");
  try {
    for (const [name, text] of Object.entries(probes)) await sql(run, addCheck(table, name, text));
    const checks = tablesFrom(await readTables(run, "temporary")).get(table)?.checks ?? [];
    const [found, again] = Object.keys(probes).map((name) =>
      checks.find((check) => check.name === name)?.expression
    );
    return found === canonical || found === again;
  } catch (error) {
    // It may not fit what the columns are to become.
    if (error instanceof QueryError) return false;
    throw error;
  } finally {
    await sql(run, "rollback to savepoint probe");
  }
}

async function sql(run: RunStatement, text: string): Promise<void> {
  await run({ text, parameters: [] });
}
