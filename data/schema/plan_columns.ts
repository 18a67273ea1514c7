// The steps for the columns of a table that exists.

import type { Column, Table } from "../catalogue/mod.ts";
import { quoteName } from "../sql/quote.ts";
import type { ColumnDraft, TableDraft } from "./document.ts";
import { nextValue, sequenceName, sqlOf, typeWord, type WantedColumn } from "./statements.ts";
import type { Findings, NewStep } from "./steps.ts";

export interface ColumnsParts {
  draft: TableDraft;
  table: Table;
  present: Table;
}

/** The columns that the draft wants, in PostgreSQL's spelling. */
export function wantedColumns({ draft, table }: Pick<ColumnsParts, "draft" | "table">): WantedColumn[] {
  return [...draft.columns.values()].flatMap((column) => {
    const canonical = table.columns.get(column.name);
    return canonical === undefined ? [] : [wantedColumn(column, canonical)];
  });
}

function wantedColumn(draft: ColumnDraft, { type, default: canonical }: Column): WantedColumn {
  const { name, nullable, serial, computed, default: preset } = draft;
  return {
    name,
    type,
    nullable,
    serial,
    default: canonical,
    expression: preset ?? computed,
    computed: computed !== null,
  };
}

export function planColumns({ draft, table, present }: ColumnsParts, findings: Findings): void {
  const { name } = draft;
  const shown = quoteName(name);
  for (const wanted of wantedColumns({ draft, table })) {
    const former = present.columns.get(wanted.name);
    if (former === undefined) {
      findings.step("columns", {
        sql: sqlOf.addColumn(name, wanted),
        description: `Add column ${quoteName(wanted.name)} to table ${shown}`,
        table: name,
        column: wanted.name,
      });
      continue;
    }
    new ColumnPlan({ draft, present, wanted, former, findings }).plan();
  }
  for (const former of present.columns.keys()) {
    if (draft.dropColumns.has(former)) {
      findings.step("drop", {
        sql: sqlOf.dropColumn(name, former),
        description: `Drop column ${quoteName(former)} of table ${shown}`,
        destructive: true,
        table: name,
        column: former,
      });
    } else if (!draft.columns.has(former)) findings.leftAlone.push(`column ${quoteName(former)} of ${shown}`);
  }
}

interface ColumnPlanParts {
  draft: TableDraft;
  present: Table;
  wanted: WantedColumn;
  former: Column;
  findings: Findings;
}

/** The steps for one column that exists. */
class ColumnPlan {
  readonly #parts: ColumnPlanParts;
  readonly #table: string;
  readonly #shown: string;

  constructor(parts: ColumnPlanParts) {
    this.#parts = parts;
    this.#table = parts.draft.name;
    this.#shown = `column ${quoteName(parts.wanted.name)} of table ${quoteName(this.#table)}`;
  }

  plan(): void {
    const { draft, wanted, former, findings } = this.#parts;
    const was = kindOf(former, isCounting(former), former.origin === "computed");
    const becomes = kindOf(wanted, wanted.serial, wanted.computed);
    if (was === becomes || this.#saysItsOwnDefault()) this.#changeDefault();
    else if (wanted.computed || former.origin === "computed") {
      findings.refused.push(
        `${this.#shown} is ${was} and would become ${becomes}: drop it by name in "_dropColumns", then add it`,
      );
      return;
    } else if (draft.changeTypes.has(wanted.name)) this.#changeType(was, becomes);
    else {
      findings.refused.push(
        `${this.#shown} is ${was} and would become ${becomes}: name it in "_changeTypes" of the table to convert its values`,
      );
      return;
    }
    this.#changeNullable();
  }

  #changeType(was: string, becomes: string): void {
    const { wanted, former } = this.#parts;
    const name = wanted.name;
    const description = `Change the type of ${this.#shown} from ${was} to ${becomes}`;
    const counted = isCounting(former);
    if (counted && !wanted.serial) this.#stopCounting(description);
    else if (!counted && former.default !== null) {
      this.#step({
        sql: sqlOf.dropDefault(this.#table, name),
        description: `Drop the former default of ${this.#shown}`,
      });
    }
    if (former.type !== wanted.type) {
      this.#step({ sql: sqlOf.changeType(this.#table, name, wanted.type), description, destructive: true });
      if (counted && wanted.serial && former.origin === "serial" && former.sequence !== null) {
        this.#step({
          sql: sqlOf.sequenceType(former.sequence, wanted.type),
          description: `${description}: its sequence`,
        });
      }
    }
    if (!counted && wanted.serial) this.#startCounting(description);
    else if (wanted.expression !== null) {
      this.#step({
        sql: sqlOf.setDefault(this.#table, name, wanted.expression),
        description: `Set the default of ${this.#shown}`,
      });
    }
  }

  #stopCounting(description: string): void {
    const { wanted: { name }, former: { origin, sequence } } = this.#parts;
    if (origin !== "serial") return this.#step({ sql: sqlOf.dropIdentity(this.#table, name), description });
    this.#step({ sql: sqlOf.dropDefault(this.#table, name), description });
    if (sequence !== null) {
      this.#step({ sql: sqlOf.dropSequence(sequence), description: `${description}: its sequence` });
    }
  }

  #startCounting(description: string): void {
    const { wanted: { name, type } } = this.#parts;
    const sequence = sequenceName(this.#table, name);
    this.#step({
      sql: sqlOf.createSequence(sequence, type, this.#table, name),
      description: `${description}: its sequence`,
    });
    this.#step({
      sql: sqlOf.startSequence(sequence, this.#table, name),
      description: `${description}: where it begins`,
    });
    this.#step({ sql: sqlOf.setDefault(this.#table, name, nextValue(sequence)), description });
  }

  #changeDefault(): void {
    const { wanted, former } = this.#parts;
    if (wanted.serial || isCounting(former) || wanted.computed || wanted.default === former.default) return;
    this.#step(
      wanted.expression === null
        ? {
          sql: sqlOf.dropDefault(this.#table, wanted.name),
          description: `Drop the default of ${this.#shown}`,
        }
        : {
          sql: sqlOf.setDefault(this.#table, wanted.name, wanted.expression),
          description: `Set the default of ${this.#shown}`,
        },
    );
  }

  #changeNullable(): void {
    const { draft, present, wanted, former } = this.#parts;
    if (wanted.nullable === former.nullable) return;
    if (!wanted.nullable) {
      return this.#step({
        sql: sqlOf.setNotNull(this.#table, wanted.name),
        description: `Make ${this.#shown} NOT NULL`,
      });
    }
    // A key's columns are NOT NULL whatever a document says, and so is an identity column.
    const inKey = present.primaryKey.includes(wanted.name) || draft.primaryKey.includes(wanted.name);
    if (inKey || former.origin.startsWith("identity")) return;
    this.#step({
      sql: sqlOf.dropNotNull(this.#table, wanted.name),
      description: `Let ${this.#shown} be null`,
    });
  }

  /** A serial column may be spelled as what it is made of: an integer whose default takes from the sequence. */
  #saysItsOwnDefault(): boolean {
    const { wanted, former } = this.#parts;
    return former.origin === "serial" && former.type === wanted.type && former.default === wanted.default;
  }

  #step(step: Omit<NewStep, "table" | "column">): void {
    this.#parts.findings.step("columns", { ...step, table: this.#table, column: this.#parts.wanted.name });
  }
}

function isCounting({ origin }: Column): boolean {
  return origin === "serial" || origin === "identity" || origin === "identity_always";
}

/** All of a column that only a conversion changes. */
function kindOf(
  { type, default: expression }: { type: string; default: string | null },
  counting: boolean,
  computed: boolean,
): string {
  return computed ? `${type} computed from ${expression}` : typeWord(type, counting);
}
