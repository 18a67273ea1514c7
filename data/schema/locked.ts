// A change that waited too long, told with what it waited for: usually a transaction of a function.

import { AppError } from "../../core/errors.ts";
import { QueryError, type Sql } from "../../db/mod.ts";
import { lockHolders } from "../../db/queries/schema_locks.ts";
import type { Table } from "../catalogue/mod.ts";

export interface LockedParts {
  control: Sql;
  databaseName: string;
  /** `null` when the turn to apply was waited for, or a table that was not there before. */
  table: Table | null;
  attempt?: string;
}

/** 55P03: waited too long. 40P01: two waited for one another. */
const lockCodes = new Set(["55P03", "40P01"]);

/** The failure of ours for `error`; `null` when it was about something else. */
export async function explainLock(
  error: unknown,
  { control, databaseName, table, attempt = "Cannot apply the schema" }: LockedParts,
): Promise<AppError | null> {
  if (!(error instanceof QueryError) || !lockCodes.has(error.code)) return null;
  const holders = await lockHolders(control, { databaseName, tableOid: table?.oid ?? null });
  const what = table === null
    ? "another change of the schema is under way"
    : `table "${table.name}" is in use`;
  const shown = holders.map(({ role, statement, seconds }) =>
    `a transaction of ${role}, open for ${seconds} s, whose last statement is ${JSON.stringify(statement)}`
  );
  return new AppError(
    "SCHEMA_LOCKED",
    `${attempt}: ${what}${shown.length === 0 ? "" : `: ${shown.join("; ")}`}`,
    { cause: error, details: { table: table?.name ?? null, held_by: holders } },
  );
}
