// One change of a table's row-level security: WAITING → LOCKED → (COMMITTED | ROLLED BACK), with its turn among all changes of
// the app's schema.

import type { App } from "../../apps/app_registry.ts";
import { AppError } from "../../core/errors.ts";
import { serviceIdentity } from "../../core/principal.ts";
import type { AppDatabases, Sql } from "../../db/mod.ts";
import { readTables, type RunStatement } from "../../db/queries/catalogue.ts";
import { policyNames } from "../../db/queries/policies.ts";
import { recordMigration } from "../../db/queries/schema_history.ts";
import { lockSchema } from "../../db/queries/schema_locks.ts";
import { type Catalogues, type Column, type Table, tablesFrom } from "../catalogue/mod.ts";
import { explainLock } from "../schema/locked.ts";
import { policyFailure } from "./failure.ts";

export interface ChangeParts {
  databases: AppDatabases;
  catalogues: Catalogues;
  control: Sql;
  /** How long a change waits for another one, and then for the table. */
  waits: { turnMs: number; tableMs: number };
}

export interface Target {
  /** In words, for what may fail. */
  attempt: string;
  table: string;
  /** Code of the failure when there is no such table. */
  missing?: "VALIDATION_TABLE_NOT_FOUND" | "RESOURCE_NOT_FOUND";
}

/** One change under way. */
export interface Change {
  readonly attempt: string;
  readonly table: Table;
  readonly run: RunStatement;
  execute(...statements: readonly string[]): Promise<void>;
  /** Adds what was executed to the history. */
  record(description: string): Promise<void>;
}

const statementTimeoutMs = 60_000;

/** Does `work` in one transaction, and tells every node that the schema has changed. */
export async function changeTable<Value>(
  app: App,
  { databases, catalogues, control, waits, attempt, table: name, missing = "VALIDATION_TABLE_NOT_FOUND" }:
    & ChangeParts
    & Target,
  work: (change: Change) => Promise<Value>,
): Promise<Value> {
  const { databaseName } = app;
  const transaction = await databases.begin(databaseName, serviceIdentity, { statementTimeoutMs });
  const run: RunStatement = (statement) => transaction.query(statement);
  const done: string[] = [];
  let table: Table | undefined;
  let value: Value;
  try {
    await lockSchema(run, waits);
    table = tablesFrom(await readTables(run, "public")).get(name);
    if (table === undefined) throw new AppError(missing, `${attempt}: the app has no such table`);
    value = await work({
      attempt,
      table,
      run,
      async execute(...statements) {
        for (const text of statements) {
          await run({ text, parameters: [] });
          done.push(text);
        }
      },
      async record(description) {
        await recordMigration(run, { description, sql: done.map((text) => `${text};`).join("\n") });
      },
    });
    await transaction.commit();
  } catch (error) {
    throw await explainLock(error, { control, databaseName, table: table ?? null, attempt }) ??
      policyFailure(error, attempt);
  } finally {
    // After a commit it does nothing.
    await transaction.rollback();
  }
  await catalogues.changed(app.id);
  return value;
}

/** The table's policies, of which the named one is one. */
export async function findPolicy({ run, table, attempt }: Change, name: string): Promise<string[]> {
  const names = await policyNames(run, table.oid);
  if (!names.includes(name)) {
    throw new AppError("RESOURCE_NOT_FOUND", `${attempt}: the table has no such policy`, {
      remediation: "GET /v1/{app}/rls lists the policies.",
    });
  }
  return names;
}

export function columnOf({ table, attempt }: Change, name: string): Column {
  const column = table.columns.get(name);
  if (column !== undefined) return column;
  throw new AppError("VALIDATION_COLUMN_NOT_FOUND", `${attempt}: the table has no column "${name}"`, {
    details: { table: table.name, column: name },
  });
}

export function wrongType({ attempt, table }: Change, { name, type }: Column, wanted: string): AppError {
  return new AppError(
    "VALIDATION_INVALID_TYPE",
    `${attempt}: column "${name}" must be of type ${wanted}: it is ${type}`,
    { details: { table: table.name, column: name, type } },
  );
}
