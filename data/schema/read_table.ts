// Reads the part of a document that speaks of one table.

import type { ColumnDraft, ForeignKeyDraft, IndexDraft, NameFault, TableDraft } from "./document.ts";
import type { Issues } from "./issues.ts";
import { lengthFault, newNameFault } from "./names.ts";
import { ColumnReader, type SqlText } from "./read_column.ts";

type Path = readonly (string | number)[];
type Fields = ReadonlyMap<string, unknown>;

export interface DraftReaderParts {
  issues: Issues;
  onlyIfPresent: NameFault[];
  warnings: string[];
}

const methods = ["btree", "hash", "gist", "gin", "spgist", "brin", "hnsw", "ivfflat"] as const;
const opclassForm = /^[a-z_][a-z0-9_]{0,62}$/;

const tableKeys = new Set(
  `columns indexes primaryKey uniques foreignKeys checks rls _drop _dropColumns _dropConstraints _changeTypes _seed`
    .split(" "),
);

export class DraftReader {
  /** What PostgreSQL's grammar has to look at. */
  readonly texts: SqlText[] = [];
  readonly #issues: Issues;
  readonly #parts: DraftReaderParts;
  readonly #columns: ColumnReader;

  constructor(parts: DraftReaderParts) {
    this.#issues = parts.issues;
    this.#parts = parts;
    this.#columns = new ColumnReader({ issues: parts.issues, texts: this.texts });
  }

  table(name: string, fields: Fields): TableDraft {
    const path = ["tables", name];
    const issues = this.#issues;
    if (!fields.has("columns")) issues.add([...path, "columns"], "is required: an object of columns by name");
    const columns = new Map<string, ColumnDraft>();
    const primaryKey: string[] = [];
    const uniques: (readonly string[])[] = [];
    const foreignKeys: ForeignKeyDraft[] = [];
    for (
      const [column, value] of fields.has("columns")
        ? issues.object(fields.get("columns"), [...path, "columns"])
        : []
    ) {
      const at = [...path, "columns", column];
      const said = issues.object(value, at);
      this.#name(name, { path: at, kind: "column", name: column });
      columns.set(column, this.#columns.column(column, said, at));
      if (issues.boolean(said.get("primaryKey") ?? said.get("primary"), [...at, "primaryKey"], false)) {
        primaryKey.push(column);
      }
      if (issues.boolean(said.get("unique"), [...at, "unique"], false)) uniques.push([column]);
      const reference = said.get("references");
      if (reference !== undefined && reference !== null) {
        foreignKeys.push(this.#columns.reference(column, reference, [...at, "references"]));
      }
    }
    const key = issues.names(fields.get("primaryKey"), [...path, "primaryKey"]);
    if (key.length > 0 && primaryKey.length > 0 && primaryKey.toSorted().join() !== key.toSorted().join()) {
      issues.add([...path, "primaryKey"], "says another key than the columns' own primaryKey");
    }
    uniques.push(...this.#uniques(fields.get("uniques"), [...path, "uniques"]));
    foreignKeys.push(...this.#foreignKeys(fields.get("foreignKeys"), [...path, "foreignKeys"]));
    const dropColumns = new Set(issues.names(fields.get("_dropColumns"), [...path, "_dropColumns"]));
    for (const column of dropColumns) {
      if (columns.has(column)) {
        issues.add([...path, "_dropColumns"], `"${column}" is in columns too: it is either kept or dropped`);
      }
    }
    const rls = fields.get("rls");
    if (rls !== undefined) issues.boolean(rls, [...path, "rls"], false);
    this.#warn(name, fields);
    return {
      name,
      columns,
      primaryKey: key.length > 0 ? key : primaryKey,
      uniques,
      foreignKeys,
      checks: this.#checks(name, fields.get("checks"), [...path, "checks"]),
      indexes: fields.has("indexes")
        ? this.#indexes(name, fields.get("indexes"), [...path, "indexes"])
        : null,
      access: rls === undefined ? null : rls === true ? "rls" : "open",
      dropColumns,
      dropConstraints: new Set(issues.names(fields.get("_dropConstraints"), [...path, "_dropConstraints"])),
      changeTypes: new Set(issues.names(fields.get("_changeTypes"), [...path, "_changeTypes"])),
    };
  }

  #foreignKeys(value: unknown, path: Path): ForeignKeyDraft[] {
    return this.#items(value, path).map((item, at) => {
      const said = this.#issues.object(item, [...path, at]);
      this.#issues.refuseUnknown(said, new Set(["columns", "table", "references", "onDelete", "onUpdate"]), [
        ...path,
        at,
      ]);
      const columns = this.#issues.names(said.get("columns"), [...path, at, "columns"]);
      const references = this.#issues.names(said.get("references"), [...path, at, "references"]);
      if (columns.length === 0 || columns.length !== references.length) {
        this.#issues.add([...path, at], "needs columns, and as many references");
      }
      const table = this.#issues.text(said.get("table"), [...path, at, "table"]);
      return {
        path: [...path, at],
        columns,
        table,
        references,
        ...this.#columns.actions(said, [...path, at]),
      };
    });
  }

  #uniques(value: unknown, path: Path): (readonly string[])[] {
    return this.#items(value, path).map((item, at) => {
      const names = this.#issues.names(item, [...path, at]);
      if (names.length === 0) this.#issues.add([...path, at], "must name at least one column");
      return names;
    });
  }

  #checks(table: string, value: unknown, path: Path): ReadonlyMap<string, string> {
    if (value === undefined) return new Map();
    return new Map([...this.#issues.object(value, path)].map(([name, expression]) => {
      const at = [...path, name];
      this.#name(table, { path: at, kind: "constraint", name });
      const text = this.#issues.text(expression, at);
      this.texts.push({ path: at, text });
      return [name, text];
    }));
  }

  #indexes(table: string, value: unknown, path: Path): ReadonlyMap<string, IndexDraft> {
    const issues = this.#issues;
    return new Map([...issues.object(value, path)].map(([name, index]) => {
      const at = [...path, name];
      const said = issues.object(index, at);
      this.#name(table, { path: at, kind: "index", name });
      const columns = issues.texts(said.get("columns"), [...at, "columns"]);
      if (columns.length === 0) issues.add([...at, "columns"], "must name at least one column");
      const opclass = said.get("opclass") ?? null;
      if (opclass !== null && (typeof opclass !== "string" || !opclassForm.test(opclass))) {
        issues.add([...at, "opclass"], "must be the name of an operator class");
      }
      const where = said.get("where") ?? null;
      if (where !== null) {
        this.texts.push({ path: [...at, "where"], text: issues.text(where, [...at, "where"]) });
      }
      return [name, {
        name,
        columns,
        unique: issues.boolean(said.get("unique"), [...at, "unique"], false),
        method: issues.oneOf(said.get("method"), [...at, "method"], methods, "btree"),
        opclass: opclass as string | null,
        where: where as string | null,
      }];
    }));
  }

  #items(value: unknown, path: Path): unknown[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) this.#issues.add(path, "must be an array");
    return Array.isArray(value) ? value : [];
  }

  #name(table: string, { path, kind, name }: Pick<NameFault, "path" | "kind" | "name">): void {
    const fault = lengthFault(name);
    if (fault !== null) this.#issues.add(path, fault);
    const message = newNameFault(name);
    if (message !== null) {
      this.#parts.onlyIfPresent.push({ code: "invalid", path, message, table, kind, name });
    }
  }

  #warn(table: string, fields: Fields): void {
    for (const key of fields.keys()) {
      if (!tableKeys.has(key)) {
        this.#parts.warnings.push(`The key "${key}" of table "${table}" is unknown and ignored.`);
      }
    }
    if (fields.get("_seed") === true) {
      this.#parts.warnings.push(`"_seed" of table "${table}" has no effect: this server has no templates.`);
    }
  }
}
