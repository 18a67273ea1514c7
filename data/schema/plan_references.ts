// Foreign keys: added when all tables and keys are there, so that tables may refer to one another in a circle.

import type { ForeignKey, Table } from "../catalogue/mod.ts";
import { quoteName } from "../sql/quote.ts";
import type { ForeignKeyDraft, SchemaDocument, TableDraft } from "./document.ts";
import { foreignKeyName, sqlOf } from "./statements.ts";
import type { Findings } from "./steps.ts";

export interface ReferencesParts {
  draft: TableDraft;
  document: SchemaDocument;
  actual: ReadonlyMap<string, Table>;
}

export function planReferences({ draft, document, actual }: ReferencesParts, findings: Findings): void {
  const table = quoteName(draft.name);
  const present = actual.get(draft.name)?.foreignKeys ?? [];
  const sound = draft.foreignKeys.filter((key) => checkTarget(key, { draft, document, actual }, findings));
  const standing = new Map(sound.map((key) => [key, present.find((each) => isSame(each, key))?.name]));
  const declared = new Set(standing.values());
  const replaced = new Set<string>();
  for (const [key, name] of standing) {
    if (name !== undefined) continue;
    for (const former of present) {
      const clashes = sameNames(former.columns, key.columns) ||
        former.name === foreignKeyName(draft.name, key.columns);
      if (!clashes || declared.has(former.name) || replaced.has(former.name)) continue;
      drop(former.name, `Replace foreign key ${quoteName(former.name)} of table ${table}`);
      replaced.add(former.name);
    }
    findings.step("references", {
      sql: sqlOf.addForeignKey(draft.name, key),
      description: `Add foreign key of ${table} (${key.columns.join(", ")}) to ${key.table} (${
        key.references.join(", ")
      })`,
      table: draft.name,
      ...(key.columns.length === 1 ? { column: key.columns[0] as string } : {}),
    });
  }
  for (const { name, columns, table: target } of present) {
    if (declared.has(name) || replaced.has(name) || document.drop.has(target)) continue;
    if (columns.some((column) => draft.dropColumns.has(column))) continue;
    if (draft.dropConstraints.has(name)) {
      drop(name, `Drop foreign key ${quoteName(name)} of table ${table}`, true);
    } else findings.leftAlone.push(`foreign key ${quoteName(name)} of ${table}`);
  }

  function drop(name: string, description: string, destructive = false): void {
    findings.step("unbind", {
      sql: sqlOf.dropConstraint(draft.name, name),
      description,
      destructive,
      table: draft.name,
    });
  }
}

/** Columns that a table will have. */
export function columnsAfter(
  name: string,
  { document, actual }: Omit<ReferencesParts, "draft">,
): Set<string> | null {
  const [draft, present] = [document.tables.get(name), actual.get(name)];
  if (document.drop.has(name) || draft === undefined && present === undefined) return null;
  const kept = [...present?.columns.keys() ?? []].filter((column) => !draft?.dropColumns.has(column));
  return new Set([...kept, ...draft?.columns.keys() ?? []]);
}

function checkTarget(key: ForeignKeyDraft, parts: ReferencesParts, findings: Findings): boolean {
  const target = columnsAfter(key.table, parts);
  if (target === null) {
    findings.issue(key.path, `refers to table "${key.table}", which does not exist`);
    return false;
  }
  const own = columnsAfter(parts.draft.name, parts);
  const missing = key.references.find((column) => !target.has(column));
  if (missing !== undefined) {
    findings.issue(key.path, `refers to column "${missing}", which table "${key.table}" has not`);
  }
  const lacking = key.columns.find((column) => !own?.has(column));
  if (lacking !== undefined) findings.issue(key.path, `names column "${lacking}", which the table has not`);
  return missing === undefined && lacking === undefined;
}

function isSame(present: ForeignKey, key: ForeignKeyDraft): boolean {
  const pairs = (each: Pick<ForeignKey, "columns" | "references">) =>
    each.columns.map((column, at) => JSON.stringify([column, each.references[at]]));
  return present.table === key.table && sameNames(pairs(present), pairs(key)) &&
    present.onDelete === key.onDelete && present.onUpdate === key.onUpdate;
}

/** Whether they are the same, in any order. */
export function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return JSON.stringify(some.toSorted()) === JSON.stringify(others.toSorted());
}
