// The steps from the tables that are to those that a document wants: nothing is dropped or converted unless the document
// asks for it by name, and a plan for what is there already is empty.

import type { Table } from "../catalogue/mod.ts";
import { quoteName, quoteNames } from "../sql/quote.ts";
import type { Issue, SchemaDocument } from "./document.ts";
import { planReferences } from "./plan_references.ts";
import { planTable } from "./plan_table.ts";
import { sqlOf } from "./statements.ts";
import { type Findings, newFindings, type Step } from "./steps.ts";

export interface PlanParts {
  document: SchemaDocument;
  /** The document's tables in PostgreSQL's spelling. */
  canonical: ReadonlyMap<string, Table>;
  actual: ReadonlyMap<string, Table>;
}

export interface Plan {
  /** In the order in which they are to run. */
  steps: readonly Step[];
  /** What the document implies and does not ask for by name. */
  refused: readonly string[];
  /** What does not fit the database. */
  issues: readonly Issue[];
  warnings: readonly string[];
}

export function planSchema({ document, canonical, actual }: PlanParts): Plan {
  const findings = newFindings();
  const dropped = [...document.drop].filter((name) => actual.has(name));
  planDrops(dropped, actual, findings);
  for (const draft of document.tables.values()) {
    const table = canonical.get(draft.name);
    if (table === undefined) continue;
    planTable({ draft, table, present: actual.get(draft.name) }, findings);
    planReferences({ draft, document, actual }, findings);
  }
  for (const name of actual.keys()) {
    if (!document.tables.has(name) && !document.drop.has(name)) {
      findings.leftAlone.push(`table ${quoteName(name)}`);
    }
  }
  return {
    // Sorting keeps the order within a phase.
    steps: findings.steps.sort((a, b) => a.phase - b.phase),
    refused: findings.refused,
    issues: findings.issues,
    warnings: [...document.warnings, ...findings.warnings, ...leftAlone(findings)],
  };
}

function planDrops(dropped: readonly string[], actual: ReadonlyMap<string, Table>, findings: Findings): void {
  if (dropped.length === 0) return;
  for (const table of actual.values()) {
    if (dropped.includes(table.name)) {
      if (!table.open) continue;
      // A later table could be given the number by which this one is listed.
      findings.step("unbind", {
        sql: sqlOf.setOpen(table.name, false),
        description: `Close table ${quoteName(table.name)}`,
        table: table.name,
      });
      continue;
    }
    for (const { name, table: target } of table.foreignKeys) {
      if (!dropped.includes(target)) continue;
      findings.step("unbind", {
        sql: sqlOf.dropConstraint(table.name, name),
        description: `Drop foreign key ${quoteName(name)} of table ${
          quoteName(table.name)
        }, which refers to ${quoteName(target)}`,
        destructive: true,
        table: table.name,
      });
    }
  }
  findings.step("drop", {
    sql: sqlOf.dropTables(dropped),
    description: `Drop ${dropped.length === 1 ? "table" : "tables"} ${quoteNames(dropped)}`,
    destructive: true,
    table: dropped[0] as string,
  });
}

const mostShown = 40;

function leftAlone({ leftAlone: names }: Findings): string[] {
  if (names.length === 0) return [];
  const more = names.length > mostShown ? `, and ${names.length - mostShown} more` : "";
  return [`Left alone, since the document does not name it: ${names.slice(0, mostShown).join(", ")}${more}.`];
}
