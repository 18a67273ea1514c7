// What PostgreSQL says against a policy, told to the one who wrote it.

import { AppError, type ErrorCode } from "../../core/errors.ts";
import { QueryError } from "../../db/mod.ts";
import type { TableFault } from "../../db/queries/policies.ts";

/** The failure of ours for `error`, thrown while `attempt` was made. */
export function policyFailure(error: unknown, attempt: string): unknown {
  if (!(error instanceof QueryError)) return error;
  const code = codeOf(error.code);
  if (code === null) return error;
  return new AppError(code, `${attempt}: ${error.message}`, {
    cause: error,
    details: {
      pg_code: error.code,
      ...(error.detail === null ? {} : { pg_detail: error.detail }),
      ...(error.hint === null ? {} : { pg_hint: error.hint }),
    },
  });
}

/** 42883: no such operator or function. Class 42: all else that is wrong with a statement. Class 22: with a value in it. */
function codeOf(sqlState: string): ErrorCode | null {
  if (sqlState === "42883") return "RLS_TYPE_MISMATCH";
  return /^(42|22|0A|54)/.test(sqlState) ? "RLS_INVALID_EXPRESSION" : null;
}

/** Refuses policies that read one another in a circle: no end user could use the table. @throws {AppError} RLS_INVALID_EXPRESSION. */
export function refuseCircle(
  faults: readonly TableFault[],
  { attempt, table }: { attempt: string; table: string },
): void {
  const circle = faults.find(({ code }) => code === "42P17");
  if (circle === undefined) return;
  throw new AppError(
    "RLS_INVALID_EXPRESSION",
    `${attempt}: to ${circle.command} as ${circle.role} fails: ${circle.message}`,
    {
      details: { pg_code: circle.code, table, role: circle.role },
      remediation:
        "A policy that reads its own table, or one whose policies read this table, goes round in a circle: let a SECURITY DEFINER function read it, and call that in the policy (docs/rls.md).",
    },
  );
}

/** A sentence for each of the other faults that the given roles run into. */
export function faultWarnings(
  faults: readonly TableFault[],
  { table, role }: { table: string; role: "anon" | "user" | null },
): string[] {
  const concerned = faults.filter((fault) => role === null || fault.role === `butterbase_${role}`);
  const messages = new Map<string, Set<string>>();
  for (const { message, command } of concerned) {
    messages.set(message, (messages.get(message) ?? new Set()).add(command));
  }
  return [...messages].map(([message, commands]) =>
    `With its policies as they are, table "${table}" cannot be used (${
      [...commands].join(", ")
    }): ${message}.`
  );
}
