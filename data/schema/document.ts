// A schema as a document says it, once it is read: names and texts that are sound by themselves. Whether they fit the
// database is decided by data/schema/plan.ts.

import type { ReferenceAction } from "../catalogue/mod.ts";

export interface SchemaDocument {
  readonly tables: ReadonlyMap<string, TableDraft>;
  /** Tables to drop, asked for by name. */
  readonly drop: ReadonlySet<string>;
  /** Names that only something which exists already may have, and why. */
  readonly onlyIfPresent: readonly NameFault[];
  readonly warnings: readonly string[];
}

/** A fault of the document, as it stands in `details`. */
export interface Issue {
  readonly code: "invalid";
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface NameFault extends Issue {
  readonly table: string;
  readonly kind: "table" | "column" | "index" | "constraint";
  readonly name: string;
}

export interface TableDraft {
  readonly name: string;
  readonly columns: ReadonlyMap<string, ColumnDraft>;
  /** Empty when the document says none. */
  readonly primaryKey: readonly string[];
  readonly uniques: readonly (readonly string[])[];
  readonly foreignKeys: readonly ForeignKeyDraft[];
  readonly checks: ReadonlyMap<string, string>;
  /** `null` when the document says nothing of indexes: then those that exist stay. */
  readonly indexes: ReadonlyMap<string, IndexDraft> | null;
  /** Row-level security on, the table open to everyone on purpose, or nothing said. */
  readonly access: "rls" | "open" | null;
  readonly dropColumns: ReadonlySet<string>;
  readonly dropConstraints: ReadonlySet<string>;
  /** Columns whose values may be converted to another type. */
  readonly changeTypes: ReadonlySet<string>;
}

export interface ColumnDraft {
  readonly name: string;
  /** As SQL; the integer type of a serial column. */
  readonly type: string;
  readonly serial: boolean;
  readonly nullable: boolean;
  /** An SQL expression. */
  readonly default: string | null;
  /** The expression that a computed column is computed from. */
  readonly computed: string | null;
}

export interface ForeignKeyDraft {
  readonly path: readonly (string | number)[];
  readonly columns: readonly string[];
  readonly table: string;
  readonly references: readonly string[];
  readonly onDelete: ReferenceAction;
  readonly onUpdate: ReferenceAction;
}

export interface IndexDraft {
  readonly name: string;
  readonly columns: readonly string[];
  readonly unique: boolean;
  readonly method: string;
  readonly opclass: string | null;
  readonly where: string | null;
}
