// What PostgreSQL says against a change, told with the table and column that it was about.

import { AppError } from "../../core/errors.ts";
import { QueryError } from "../../db/mod.ts";

/** What a statement was about. */
export interface Subject {
  readonly table?: string;
  readonly column?: string;
  /** In words: `the default of column "total" of table "orders"`. */
  readonly description: string;
}

/** The failure of ours for what happened while `subject` was done. */
export function schemaFailure(error: unknown, { table, column, description }: Subject): unknown {
  if (error instanceof AppError && error.code === "EXTERNAL_DB_ERROR") {
    return new AppError(error.code, `Cannot apply the schema: the connection to the database was lost`, {
      cause: error,
      remediation:
        "Nothing of it was done, unless the very end was reached: apply it again, which does nothing twice.",
    });
  }
  if (!(error instanceof QueryError)) return error;
  const about = { table: error.table ?? table, column: error.column ?? column };
  return new AppError(
    "SCHEMA_MIGRATION_FAILED",
    `Cannot apply the schema: ${description}: ${error.message}`,
    {
      cause: error,
      details: {
        pg_code: error.code,
        severity: error.severity,
        ...(about.table === undefined ? {} : { table: about.table }),
        ...(about.column === undefined ? {} : { column: about.column }),
        ...(error.constraint === null ? {} : { constraint: error.constraint }),
        ...(error.detail === null ? {} : { pg_detail: error.detail }),
      },
      ...(error.hint === null ? {} : { remediation: error.hint }),
    },
  );
}
