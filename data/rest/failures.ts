// What PostgreSQL says against a request, as the failures of the API. Its words may hold values of rows: a caller who may
// not see every row is told only what it sent itself and what the schema is called.

import { AppError, type ErrorCode } from "../../core/errors.ts";
import type { DatabaseIdentity } from "../../core/principal.ts";
import { QueryError, type Statement } from "../../db/mod.ts";
import type { Table } from "../catalogue/mod.ts";
import { timedOut } from "./deadline.ts";
import { type AnswerLimits, tooLargeMark } from "./statements.ts";

export interface Attempt {
  readonly table: Table;
  readonly identity: DatabaseIdentity;
  readonly statement: Statement;
  readonly limits: AnswerLimits;
}

const constraints: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ["23505", "VALIDATION_UNIQUE_CONSTRAINT_VIOLATION"],
  ["23P01", "VALIDATION_UNIQUE_CONSTRAINT_VIOLATION"],
  ["23503", "VALIDATION_FOREIGN_KEY_VIOLATION"],
  ["23514", "VALIDATION_CHECK_CONSTRAINT_VIOLATION"],
  ["23502", "VALIDATION_NOT_NULL_VIOLATION"],
]);

/** Raised by the app's own SQL, in its developer's words. */
const raised = "P0001";

/** The failure of ours for `error`; anything but a refusal by PostgreSQL stays as it is. */
export function requestFailure(error: unknown, attempt: Attempt): unknown {
  if (!(error instanceof QueryError)) return error;
  const { table, limits } = attempt;
  const constraint = constraints.get(error.code);
  if (constraint !== undefined) return constraintFailure(constraint, error, attempt);
  switch (error.code) {
    case "57014":
      return timedOut("the database stopped it", error);
    case "40001":
    case "40P01":
    case "55P03":
      return new AppError("RESOURCE_CONFLICT", `Another change of "${table.name}" was in the way`, {
        cause: error,
        remediation: "Try again: nothing was changed.",
      });
  }
  if (error.message.includes("current_user_id") && /^(42|P0)/.test(error.code)) {
    return new AppError(
      "AUTH_RLS_REQUIRES_USER_JWT",
      `Only a signed-in user may do this to "${table.name}"`,
      {
        cause: error,
      },
    );
  }
  if (error.code === "42501") {
    return new AppError("AUTH_RLS_POLICY_VIOLATION", `The policies of "${table.name}" do not allow this`, {
      cause: error,
      details: { table: table.name, role: attempt.identity.role },
    });
  }
  if (error.code === "42P17") {
    return new AppError(
      "RLS_INVALID_EXPRESSION",
      `The policies of "${table.name}" cannot be used: ${error.message}`,
      {
        cause: error,
      },
    );
  }
  if (error.code === "22P02" && error.message.includes(`"${tooLargeMark}`)) return tooLarge(limits, error);
  return new AppError(
    "VALIDATION_INVALID_INPUT",
    `PostgreSQL refuses the request: ${toldMessage(error, attempt)}`,
    { cause: error, details: { pg_code: error.code, pg_detail: toldDetail(error, attempt) } },
  );
}

function constraintFailure(code: ErrorCode, error: QueryError, attempt: Attempt): AppError {
  const { uniques, foreignKeys, indexes } = attempt.table;
  const columns = [...uniques, ...foreignKeys, ...indexes].find(({ name }) => name === error.constraint)
    ?.columns;
  const column = error.column ?? (columns?.length === 1 ? columns[0] : undefined);
  const detail = toldDetail(error, attempt);
  // PostgreSQL's message names the constraint and no value.
  return new AppError(code, `Cannot change "${attempt.table.name}": ${error.message}`, {
    cause: error,
    details: {
      ...(detail === null ? {} : { constraint_details: detail }),
      ...(error.constraint === null ? {} : { constraint: error.constraint }),
      ...(column === undefined || column === null ? {} : { column }),
      ...(error.table === null ? {} : { table: error.table }),
    },
  });
}

function tooLarge(limits: AnswerLimits, cause: QueryError): AppError {
  return new AppError(
    "QUOTA_LIMIT_EXCEEDED",
    `The answer would pass ${limits.rows} rows or ${limits.bytes} bytes, the most that one answer holds`,
    {
      cause,
      status: 413,
      details: { limit_rows: limits.rows, limit_bytes: limits.bytes },
      remediation:
        "Ask for less with `limit` and `offset`, `select` or filters; a write can prefer `return=minimal`.",
    },
  );
}

const seesEverything = ({ identity }: Attempt) => identity.role === "butterbase_service";

function toldMessage(error: QueryError, attempt: Attempt): string {
  const { message, code } = error;
  if (seesEverything(attempt) || code === raised) return message;
  const { table, statement } = attempt;
  const names = [table.name, error.table, error.column, error.constraint, ...table.columns.keys()];
  const known = (text: string) => names.includes(text) || isSent(text, statement);
  const quoted = [...message.matchAll(/"([^"]*)"?/g)].map(([, text = ""]) => text);
  return quoted.every(known) ? message : "a value is not what its column or a policy takes";
}

/** PostgreSQL's detail, without the values that the caller did not send; `null` when nothing can be told. */
function toldDetail({ detail, code }: QueryError, attempt: Attempt): string | null {
  if (detail === null || seesEverything(attempt) || code === raised) return detail;
  const key = /^Key \((.+)\)=\((.*)\) (.+)$/s.exec(detail);
  if (key === null) return null;
  const [, columns, values = "", rest] = key;
  return values.split(", ").every((value) => isSent(value, attempt.statement))
    ? detail
    : `Key (${columns}) ${rest}`;
}

function isSent(text: string, { parameters }: Statement): boolean {
  return parameters.some((parameter) => parameter === text);
}
