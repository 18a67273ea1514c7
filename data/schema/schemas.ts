// Applies schema documents to apps' databases: READ → LOCKED → COMPARED → (REFUSED | NOTHING TO DO | SHOWN | APPLIED). All
// that a document changes and the entry in the history are one transaction; one applier at a time has the turn.

import type { App } from "../../apps/app_registry.ts";
import { AppError } from "../../core/errors.ts";
import { serviceIdentity } from "../../core/principal.ts";
import { type AppDatabases, type AppTransaction, type Sql } from "../../db/mod.ts";
import { readTables, type RunStatement } from "../../db/queries/catalogue.ts";
import { lockSchema } from "../../db/queries/schema_locks.ts";
import { listMigrations, type MigrationEntry, recordMigration } from "../../db/queries/schema_history.ts";
import { type Catalogues, type Table, tablesFrom } from "../catalogue/mod.ts";
import { canonicalTables } from "./canonical.ts";
import type { SchemaDocument } from "./document.ts";
import { schemaFailure } from "./failure.ts";
import { invalidDocument } from "./issues.ts";
import { explainLock } from "./locked.ts";
import { explainNulls } from "./nulls.ts";
import { type Plan, planSchema } from "./plan.ts";
import { readDocument } from "./read_document.ts";
import { schemaView } from "./view.ts";
import type { Step } from "./steps.ts";

export interface SchemasParts {
  databases: AppDatabases;
  catalogues: Catalogues;
  control: Sql;
  /** How long one applier waits for another, and then for each table in use. */
  waits?: { turnMs: number; tableMs: number };
}

export interface ApplyRequest {
  schema: unknown;
  /** Label of the entry in the history. */
  name: string;
  mode: "apply" | "dry_run";
}

export interface ShownStep {
  sql: string;
  description: string;
  destructive: boolean;
}

export type ApplyOutcome =
  | { kind: "unchanged"; warnings: readonly string[] }
  | { kind: "planned"; statements: readonly ShownStep[]; warnings: readonly string[] }
  | { kind: "applied"; statements: readonly ShownStep[]; warnings: readonly string[]; migrationId: number };

/** A table of a million rows is rewritten in seconds. */
const statementTimeoutMs = 5 * 60_000;

export class Schemas {
  readonly #parts: Required<SchemasParts>;

  constructor(parts: SchemasParts) {
    this.#parts = { waits: { turnMs: 30_000, tableMs: 4_000 }, ...parts };
  }

  /** The app's tables as a document that changes nothing when it is applied. */
  async view(app: App): Promise<ReturnType<typeof schemaView>> {
    return schemaView((await this.#parts.catalogues.refresh(app, { when: "now" })).tables);
  }

  /** The history of the app's schema, newest first. */
  async migrations(app: App): Promise<MigrationEntry[]> {
    return await listMigrations((statement) =>
      this.#parts.databases.query(app.databaseName, serviceIdentity, statement)
    );
  }

  /**
   * Makes the app's tables what the document says, or tells what that would take.
   * @throws {AppError} VALIDATION_INVALID_SCHEMA, SCHEMA_DESTRUCTIVE_CHANGE, SCHEMA_MIGRATION_FAILED or SCHEMA_LOCKED.
   */
  async apply(app: App, { schema, name, mode }: ApplyRequest): Promise<ApplyOutcome> {
    const document = await readDocument(schema);
    const transaction = await this.#parts.databases.begin(app.databaseName, serviceIdentity, {
      statementTimeoutMs,
    });
    let outcome: ApplyOutcome;
    try {
      outcome = await this.#applyIn(transaction, { app, document, name, mode });
    } finally {
      // After a commit it does nothing.
      await transaction.rollback();
    }
    if (outcome.kind === "applied") await this.#parts.catalogues.changed(app.id);
    return outcome;
  }

  async #applyIn(
    transaction: AppTransaction,
    { app, document, name, mode }: Omit<ApplyRequest, "schema"> & { app: App; document: SchemaDocument },
  ): Promise<ApplyOutcome> {
    const run: RunStatement = (statement) => transaction.query(statement);
    const { control, waits } = this.#parts;
    const { databaseName } = app;
    try {
      await lockSchema(run, waits);
    } catch (error) {
      throw await explainLock(error, { control, databaseName, table: null }) ??
        schemaFailure(error, { description: "taking the turn" });
    }
    const actual = await this.#read(run);
    checkNames(document, actual);
    const plan = planSchema({
      document,
      actual,
      canonical: await canonicalTables({ run, document, actual }),
    });
    if (plan.issues.length > 0) throw invalidDocument(plan.issues);
    if (plan.refused.length > 0) throw destructive(plan);
    const { warnings } = plan;
    if (plan.steps.length === 0) return { kind: "unchanged", warnings };
    const statements = plan.steps.map(({ sql, description, destructive }) => ({
      sql,
      description,
      destructive,
    }));
    if (mode === "dry_run") return { kind: "planned", statements, warnings };
    for (const step of plan.steps) await this.#take(step, { run, app, actual, transaction });
    try {
      const text = statements.map(({ sql }) => `${sql};`).join("\n");
      const migrationId = await recordMigration(run, { description: name, sql: text });
      await transaction.commit();
      return { kind: "applied", statements, warnings, migrationId };
    } catch (error) {
      throw schemaFailure(error, { description: "the end of the transaction" });
    }
  }

  async #read(run: RunStatement): Promise<ReadonlyMap<string, Table>> {
    try {
      return tablesFrom(await readTables(run, "public"));
    } catch (error) {
      throw schemaFailure(error, { description: "reading the tables" });
    }
  }

  async #take(
    step: Step,
    { run, app, actual, transaction }: {
      run: RunStatement;
      app: App;
      actual: ReadonlyMap<string, Table>;
      transaction: AppTransaction;
    },
  ): Promise<void> {
    try {
      await run({ text: step.sql, parameters: [] });
    } catch (error) {
      const { control, databases } = this.#parts;
      const { databaseName } = app;
      const locked = await explainLock(error, {
        control,
        databaseName,
        table: actual.get(step.table) ?? null,
      });
      if (locked !== null) throw locked;
      // Frees what the failed transaction has locked, for the question that comes.
      await transaction.rollback();
      throw await explainNulls(error, { databases, databaseName, step, present: actual.get(step.table) }) ??
        schemaFailure(error, step);
    }
  }
}

function checkNames({ onlyIfPresent }: SchemaDocument, actual: ReadonlyMap<string, Table>): void {
  const faults = onlyIfPresent.filter(({ table, kind, name }) => {
    const present = actual.get(table);
    switch (kind) {
      case "table":
        return present === undefined;
      case "column":
        return !present?.columns.has(name);
      case "index":
        return !present?.indexes.some((index) => index.name === name);
      case "constraint":
        return !present?.checks.some((check) => check.name === name);
      default:
        return kind satisfies never;
    }
  });
  if (faults.length > 0) throw invalidDocument(faults);
}

function destructive({ refused }: Plan): AppError {
  return new AppError(
    "SCHEMA_DESTRUCTIVE_CHANGE",
    `Cannot apply the schema: it changes what it does not ask to change by name: ${
      refused.join("; ").slice(0, 2_000)
    }`,
    { details: refused },
  );
}
