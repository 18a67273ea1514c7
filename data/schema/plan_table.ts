// The steps for one table: all of it when it is new, else what differs.

import type { Check, Index, Table } from "../catalogue/mod.ts";
import { quoteName } from "../sql/quote.ts";
import type { TableDraft } from "./document.ts";
import { planColumns, wantedColumns } from "./plan_columns.ts";
import { sameNames } from "./plan_references.ts";
import { sqlOf } from "./statements.ts";
import type { Findings } from "./steps.ts";

export interface TableParts {
  draft: TableDraft;
  /** The draft in PostgreSQL's spelling. */
  table: Table;
  /** The table as it is, if it is. */
  present: Table | undefined;
}

export function planTable(parts: TableParts, findings: Findings): void {
  if (!checkNames(parts, findings)) return;
  const { draft, table, present } = parts;
  if (present === undefined) {
    const { name, primaryKey, uniques } = draft;
    findings.step("create", {
      sql: sqlOf.createTable({
        name,
        columns: wantedColumns(parts),
        primaryKey,
        uniques,
        checks: checksOf(draft),
      }),
      description: `Create table ${quoteName(name)}`,
      table: name,
    });
  } else {
    planColumns({ draft, table, present }, findings);
    planKeys({ draft, table, present }, findings);
  }
  planIndexes(parts, findings);
  planAccess(parts, findings);
}

/** Whether every column that keys and indexes name will be there. */
function checkNames({ draft, table, present }: TableParts, findings: Findings): boolean {
  const path = ["tables", draft.name];
  const known = new Set([...table.columns.keys()]);
  for (const name of present?.columns.keys() ?? []) if (!draft.dropColumns.has(name)) known.add(name);
  const before = findings.issues.length;
  const check = (names: readonly string[], key: string) => {
    for (const name of names) {
      if (!known.has(name)) findings.issue([...path, key], `names column "${name}", which the table has not`);
    }
  };
  check(draft.primaryKey, "primaryKey");
  for (const names of draft.uniques) check(names, "uniques");
  for (const name of draft.changeTypes) {
    if (!draft.columns.has(name)) {
      findings.issue([...path, "_changeTypes"], `names "${name}", which is not in columns`);
    }
  }
  return findings.issues.length === before;
}

function checksOf({ checks }: TableDraft): Check[] {
  return [...checks].map(([name, expression]) => ({ name, expression }));
}

function planKeys(
  { draft, table, present }: Required<TableParts> & { present: Table },
  findings: Findings,
): void {
  const shown = quoteName(draft.name);
  const { name } = draft;
  if (draft.primaryKey.length > 0 && present.primaryKey.length === 0) {
    findings.step("keys", {
      sql: sqlOf.addPrimaryKey(name, draft.primaryKey),
      description: `Add primary key (${draft.primaryKey.join(", ")}) of table ${shown}`,
      table: name,
    });
  } else if (draft.primaryKey.length > 0 && !sameNames(draft.primaryKey, present.primaryKey)) {
    findings.refused.push(
      `The primary key of table ${shown} is (${present.primaryKey.join(", ")}) and would become (${
        draft.primaryKey.join(", ")
      }): a schema document does not change keys`,
    );
  } else if (draft.primaryKey.length === 0 && present.primaryKey.length > 0) {
    findings.leftAlone.push(`primary key of ${shown}`);
  }
  for (const columns of draft.uniques) {
    if (present.uniques.some((unique) => sameNames(unique.columns, columns))) continue;
    findings.step("keys", {
      sql: sqlOf.addUnique(name, columns),
      description: `Make (${columns.join(", ")}) unique in table ${shown}`,
      table: name,
      ...(columns.length === 1 ? { column: columns[0] as string } : {}),
    });
  }
  for (const check of table.checks) {
    const former = present.checks.find((each) => each.name === check.name);
    if (former?.expression === check.expression) continue;
    const word = former === undefined ? "Add" : "Replace";
    if (former !== undefined) {
      findings.step("unbind", {
        sql: sqlOf.dropConstraint(name, check.name),
        description: `Drop the former check ${quoteName(check.name)} of table ${shown}`,
        table: name,
      });
    }
    findings.step("keys", {
      sql: sqlOf.addCheck(name, { name: check.name, expression: draft.checks.get(check.name) as string }),
      description: `${word} check ${quoteName(check.name)} of table ${shown}`,
      table: name,
    });
  }
  const undeclared = [
    ...present.uniques.filter(({ columns }) => !draft.uniques.some((each) => sameNames(each, columns)))
      .map((unique) => ({ kind: "unique constraint", ...unique })),
    ...present.checks.filter((check) => !draft.checks.has(check.name))
      .map((check) => ({ kind: "check", columns: [], ...check })),
  ];
  for (const { kind, name: constraint, columns } of undeclared) {
    if (draft.dropConstraints.has(constraint)) {
      findings.step("unbind", {
        sql: sqlOf.dropConstraint(name, constraint),
        description: `Drop ${kind} ${quoteName(constraint)} of table ${shown}`,
        destructive: true,
        table: name,
      });
    } else if (!columns.some((column) => draft.dropColumns.has(column))) {
      findings.leftAlone.push(`${kind} ${quoteName(constraint)} of ${shown}`);
    }
  }
}

function planIndexes({ draft, table, present }: TableParts, findings: Findings): void {
  if (draft.indexes === null) return;
  const { name } = draft;
  const drop = (index: Index, why: string) =>
    findings.step("unbind", {
      sql: sqlOf.dropIndex(index.name),
      description: `Drop index ${quoteName(index.name)} of table ${quoteName(name)}: ${why}`,
      table: name,
    });
  for (const index of table.indexes) {
    const former = present?.indexes.find((each) => each.name === index.name);
    // What the language cannot say, a document cannot change.
    if (former !== undefined && (!former.plain || sameIndex(former, index))) continue;
    if (former !== undefined) drop(former, "it is made anew");
    findings.step("indexes", {
      sql: sqlOf.createIndex(name, { ...index, where: draft.indexes.get(index.name)?.where ?? null }),
      description: `Create index ${quoteName(index.name)} of table ${quoteName(name)}`,
      table: name,
    });
  }
  for (const former of present?.indexes ?? []) {
    if (draft.indexes.has(former.name)) continue;
    if (former.plain) drop(former, "it is not among the table's indexes");
    else findings.leftAlone.push(`index ${quoteName(former.name)} of ${quoteName(name)}`);
  }
}

function sameIndex(one: Index, other: Index): boolean {
  const shape = ({ columns, unique, method, opclass, where }: Index) =>
    JSON.stringify([columns, unique, method, opclass, where]);
  return shape(one) === shape(other);
}

function planAccess({ draft: { name, access }, present }: TableParts, findings: Findings): void {
  if (access === null) return;
  const { rowSecurity = false, open = false } = present ?? {};
  const shown = quoteName(name);
  if (rowSecurity !== (access === "rls")) {
    const state = access === "rls" ? "enable" : "disable";
    findings.step("access", {
      sql: sqlOf.rowSecurity(name, state),
      description: `${state === "enable" ? "Enable" : "Disable"} row-level security of table ${shown}`,
      destructive: state === "disable",
      table: name,
    });
  }
  if (open !== (access === "open")) {
    findings.step("access", {
      sql: sqlOf.setOpen(name, access === "open"),
      description: access === "open" ? `Open table ${shown} to everyone` : `Close table ${shown}`,
      table: name,
    });
  }
  if (access === "open") {
    findings.warnings.push(
      name.startsWith("_")
        ? `"rls": false has no effect on table ${shown}: tables that begin with "_" are closed to everyone but service.`
        : `Table ${shown} has no row-level security and is open: anybody may read and write every row ("rls": false).`,
    );
  }
}
