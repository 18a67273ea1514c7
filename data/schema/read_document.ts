// Reads a schema document, in each spelling that the reference's documents and code have, and reports all of its faults
// together.

import { expressionFault } from "../sql/grammar.ts";
import type { NameFault, SchemaDocument, TableDraft } from "./document.ts";
import { Issues } from "./issues.ts";
import { lengthFault, newTableFault } from "./names.ts";
import { DraftReader } from "./read_table.ts";

/** Tables that one request may hold. */
const mostTables = 50;

/** @throws {AppError} VALIDATION_INVALID_SCHEMA with an issue for each fault. */
export async function readDocument(given: unknown): Promise<SchemaDocument> {
  const issues = new Issues();
  const warnings: string[] = [];
  const onlyIfPresent: NameFault[] = [];
  const root = issues.object(given, []);
  if (root.size > 0 || issues.isEmpty) {
    if (!root.has("tables")) issues.add(["tables"], "is required: an object of tables by name");
  }
  const tables = new Map<string, TableDraft>();
  const drop = new Set(issues.names(root.get("_drop"), ["_drop"]));
  const entries = root.has("tables")
    ? issues.object(root.get("tables"), ["tables"])
    : new Map<string, unknown>();
  if (entries.size > mostTables) {
    issues.add(["tables"], `holds ${entries.size} tables: at most ${mostTables} are taken in one request`);
    issues.check();
  }
  const reader = new DraftReader({ issues, onlyIfPresent, warnings });
  for (const [name, value] of entries) {
    const path = ["tables", name];
    const fault = lengthFault(name);
    if (fault !== null) issues.add(path, fault);
    const fields = issues.object(value, path);
    if (fields.has("_drop")) {
      if (issues.boolean(fields.get("_drop"), [...path, "_drop"], false)) {
        drop.add(name);
        continue;
      }
    }
    const newFault = newTableFault(name);
    if (newFault !== null) {
      onlyIfPresent.push({ code: "invalid", path, message: newFault, table: name, kind: "table", name });
    }
    tables.set(name, reader.table(name, fields));
  }
  for (const name of drop) {
    if (tables.has(name)) {
      issues.add(["_drop"], `"${name}" is in tables too: a table is either kept or dropped`);
    }
  }
  for (const key of root.keys()) {
    if (key !== "tables" && key !== "_drop") {
      warnings.push(`The key "${key}" of the schema is unknown and ignored.`);
    }
  }
  for (const { path, text, fault = expressionFault } of reader.texts) {
    const found = await fault(text);
    if (found !== null) issues.add(path, `${JSON.stringify(text.slice(0, 200))}: ${found}`);
  }
  issues.check();
  return { tables, drop, onlyIfPresent, warnings };
}
