// Looks at a policy's expressions before PostgreSQL does. That an expression is one and nothing else is what keeps it where
// it is put; the list of functions is an early word to its writer only: no role that evaluates policies may do what they do.

import { AppError } from "../../core/errors.ts";
import { parseExpression } from "../sql/grammar.ts";

const denied: ReadonlySet<string> = new Set([
  "dblink",
  "dblink_connect",
  "dblink_exec",
  "lo_export",
  "lo_import",
  "pg_cancel_backend",
  "pg_execute_server_program",
  "pg_read_binary_file",
  "pg_read_file",
  "pg_reload_conf",
  "pg_terminate_backend",
  "pg_write_file",
  "set_config",
]);

/** @throws {AppError} RLS_INVALID_EXPRESSION when it is not one expression, RLS_UNSAFE_EXPRESSION. */
export async function checkExpression(
  text: string,
  { field, attempt }: { field: string; attempt: string },
): Promise<void> {
  const parsed = await parseExpression(text);
  if (typeof parsed === "string") {
    throw new AppError(
      "RLS_INVALID_EXPRESSION",
      `${attempt}: ${field} is not one SQL expression: ${parsed}`,
      {
        details: { field, expression: text.slice(0, 200) },
        remediation: `Write one expression of type boolean in ${field}, such as user_id = current_user_id().`,
      },
    );
  }
  for (const called of calledFunctions(parsed.value)) {
    if (!denied.has(called)) continue;
    throw new AppError("RLS_UNSAFE_EXPRESSION", `${attempt}: ${field} calls ${called}()`, {
      details: { field, function: called },
    });
  }
}

/** Names of the functions that a tree of libpg_query calls, without their schemas. */
export function calledFunctions(tree: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const open: unknown[] = [tree];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== "object" || node === null) continue;
    for (const [key, value] of Object.entries(node)) {
      if (key === "FuncCall") {
        const { funcname = [] } = value as { funcname?: { String?: { sval?: string } }[] };
        const last = funcname.at(-1)?.String?.sval;
        if (last !== undefined) names.add(last);
      }
      open.push(value);
    }
  }
  return names;
}
