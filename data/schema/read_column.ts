// Reads the part of a document that speaks of one column.

import type { ReferenceAction } from "../catalogue/mod.ts";
import { typeFault } from "../sql/grammar.ts";
import type { ColumnDraft, ForeignKeyDraft } from "./document.ts";
import type { Issues } from "./issues.ts";

type Path = readonly (string | number)[];
type Fields = ReadonlyMap<string, unknown>;

/** A text that is to be one SQL expression, or what `fault` says. */
export interface SqlText {
  path: Path;
  text: string;
  fault?: (text: string) => Promise<string | null>;
}

const actions = [
  "NO ACTION",
  "RESTRICT",
  "CASCADE",
  "SET NULL",
  "SET DEFAULT",
] as const satisfies ReferenceAction[];
const serialForm = /^(?:(big|small)serial|serial([248]?))$/i;

const columnKeys = new Set(
  ["type", "primaryKey", "primary", "nullable", "default", "unique", "references", "generated"],
);
const referenceKeys = new Set(["table", "column", "onDelete", "onUpdate"]);

export class ColumnReader {
  readonly #issues: Issues;
  /** Gets each text that PostgreSQL's grammar has to look at. */
  readonly #texts: SqlText[];

  constructor({ issues, texts }: { issues: Issues; texts: SqlText[] }) {
    this.#issues = issues;
    this.#texts = texts;
  }

  /** One column. */
  column(name: string, said: Fields, path: Path): ColumnDraft {
    const issues = this.#issues;
    this.#issues.refuseUnknown(said, columnKeys, path);
    const type = issues.text(said.get("type"), [...path, "type"]).trim();
    const serial = serialForm.exec(type);
    if (serial === null) this.#texts.push({ path: [...path, "type"], text: type, fault: typeFault });
    const preset = this.#default(said.get("default"), [...path, "default"]);
    const generated = said.get("generated") ?? null;
    const computed = generated === null ? null : issues.text(generated, [...path, "generated"]);
    if (computed !== null) this.#texts.push({ path: [...path, "generated"], text: computed });
    if (computed !== null && preset !== null) issues.add(path, "has both a default and generated");
    if (serial !== null && (computed ?? preset) !== null) {
      issues.add([...path, "default"], `a ${type} column counts by itself and takes no default`);
    }
    return {
      name,
      type: serial === null ? type : serialBase(serial[1]?.toLowerCase(), serial[2]),
      serial: serial !== null,
      nullable: issues.boolean(said.get("nullable"), [...path, "nullable"], true) && serial === null,
      default: preset,
      computed,
    };
  }

  #default(value: unknown, path: Path): string | null {
    if (value === undefined || value === null) return null;
    if (
      typeof value === "number" &&
      (Number.isInteger(value) ? !Number.isSafeInteger(value) : !Number.isFinite(value))
    ) {
      this.#issues.add(path, "is a number that JSON does not carry exactly: write it as a string");
      return null;
    }
    const text = typeof value === "number" || typeof value === "boolean" ? String(value) : value;
    if (typeof text !== "string") {
      this.#issues.add(
        path,
        `must be an SQL expression as a string, as "'pending'", a number, true or false`,
      );
      return null;
    }
    this.#texts.push({ path, text });
    return text;
  }

  /** What `references` of a column says. */
  reference(column: string, value: unknown, path: Path): ForeignKeyDraft {
    const issues = this.#issues;
    if (typeof value === "string") {
      const dot = value.lastIndexOf(".");
      if (dot < 1 || dot === value.length - 1) {
        issues.add(path, `must be "table.column": ${JSON.stringify(value)}`);
      }
      const target = { table: value.slice(0, dot), references: [value.slice(dot + 1)] };
      return { path, columns: [column], ...target, onDelete: "NO ACTION", onUpdate: "NO ACTION" };
    }
    const said = issues.object(value, path);
    this.#issues.refuseUnknown(said, referenceKeys, path);
    return {
      path,
      columns: [column],
      table: issues.text(said.get("table"), [...path, "table"]),
      references: [issues.text(said.get("column"), [...path, "column"])],
      ...this.actions(said, path),
    };
  }

  /** What happens to rows whose target goes or changes. */
  actions(said: Fields, path: Path): Pick<ForeignKeyDraft, "onDelete" | "onUpdate"> {
    const read = (key: string) => this.#issues.oneOf(said.get(key), [...path, key], actions, "NO ACTION");
    return { onDelete: read("onDelete"), onUpdate: read("onUpdate") };
  }
}

function serialBase(word: string | undefined, digit: string | undefined): string {
  if (word === "big" || digit === "8") return "bigint";
  return word === "small" || digit === "2" ? "smallint" : "integer";
}
