// Transactions in the control database. In place of postgres.js's own `begin`: that sends its ROLLBACK on a connection that
// is gone, which throws where nobody can catch it and ends the process (porsager/postgres issue 1208, in 3.4.9).

import type { Sql, TransactionSql } from "postgres";
import type { Logger } from "../core/log.ts";

/**
 * Runs `work` in a transaction of its own: committed when it resolves, rolled back when it rejects. A connection that is
 * lost on the way is left to the pool, which opens another.
 */
export async function transaction<Value>(
  sql: Sql,
  work: (tx: TransactionSql) => Promise<Value>,
): Promise<Value> {
  const reserved = await sql.reserve();
  let lost = false;
  try {
    await reserved`begin`;
    const value = await work(reserved as unknown as TransactionSql);
    await reserved`commit`;
    return value;
  } catch (error) {
    lost = isConnectionLost(error);
    if (!lost) await reserved`rollback`.catch(() => (lost = true));
    throw error;
  } finally {
    if (!lost) reserved.release();
  }
}

const lostCodes = /^(CONNECTION_|CONNECT_TIMEOUT|ECONNRESET|EPIPE|ENOENT|ECONNREFUSED|57P0|08)/;

function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && "code" in error && lostCodes.test(String(error.code));
}

/** The driver's throw that no caller can catch, kept from ending the process; its connection is replaced by the pool. */
export function survivesDriver(event: ErrorEvent, log: Logger): void {
  const stack = event.error instanceof Error ? event.error.stack ?? "" : "";
  if (!stack.includes("nextWrite") || !stack.includes("/postgres/")) return;
  event.preventDefault();
  log.error("A connection to the control database was lost while it was written to", { error: event.error });
}
