// A column that is to be NOT NULL over rows that have no value for it, told with how many those are.

import { AppError } from "../../core/errors.ts";
import { serviceIdentity } from "../../core/principal.ts";
import { type AppDatabases, QueryError, rowValues } from "../../db/mod.ts";
import type { Table } from "../catalogue/mod.ts";
import { quoteName } from "../sql/quote.ts";
import type { Step } from "./steps.ts";

export interface NullsParts {
  databases: AppDatabases;
  databaseName: string;
  step: Step;
  /** The table as it is, after the failure. */
  present: Table | undefined;
}

/** The failure of ours for `error`; `null` when it was about something else. */
export async function explainNulls(
  error: unknown,
  { databases, databaseName, step, present }: NullsParts,
): Promise<AppError | null> {
  const { table, column } = step;
  if (
    !(error instanceof QueryError) || error.code !== "23502" || present === undefined || column === undefined
  ) {
    return null;
  }
  const isNew = !present.columns.has(column);
  const empty = isNew ? "" : ` where ${quoteName(column)} is null`;
  const text = `select count(*) from public.${quoteName(table)}${empty}`;
  const [row] = rowValues(await databases.query(databaseName, serviceIdentity, { text, parameters: [] }));
  const rows = Number(new TextDecoder().decode(row?.[0] as Uint8Array));
  return new AppError(
    "SCHEMA_MIGRATION_FAILED",
    isNew
      ? `Cannot add column "${column}" to table "${table}" as NOT NULL: the table has ${rows} rows, which would have no value for it`
      : `Cannot make column "${column}" of table "${table}" NOT NULL: ${rows} rows have no value for it`,
    {
      cause: error,
      details: { pg_code: error.code, severity: error.severity, table, column, existing_row_count: rows },
      remediation: isNew
        ? 'Give the column a "default", or add it without "nullable": false, fill it, and set that then.'
        : "Give those rows a value, then apply the schema again.",
    },
  );
}
