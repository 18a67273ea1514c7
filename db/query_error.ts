// Turns what PostgreSQL and the socket report into failures of ours, here alone: a QueryError may be shown to the code
// whose statement failed and holds nothing of the server; everything else is an AppError whose cause only the log sees.

import { AppError } from "../core/errors.ts";
import { ConnectionLost, ServerError } from "./wire/mod.ts";

export interface QueryErrorFields {
  message: string;
  /** SQLSTATE. */
  code: string;
  severity: string;
  detail: string | null;
  hint: string | null;
  table: string | null;
  column: string | null;
  constraint: string | null;
  /** Character of the statement, from 1, that the error points at. */
  position: number | null;
}

/** A statement that PostgreSQL refused, in PostgreSQL's own words. */
export class QueryError extends Error {
  override readonly name = "QueryError";
  readonly code: string;
  readonly severity: string;
  readonly detail: string | null;
  readonly hint: string | null;
  readonly table: string | null;
  readonly column: string | null;
  readonly constraint: string | null;
  readonly position: number | null;

  constructor({ message, ...fields }: Partial<QueryErrorFields> & { message: string; code: string }) {
    super(message);
    this.code = fields.code;
    this.severity = fields.severity ?? "ERROR";
    this.detail = fields.detail ?? null;
    this.hint = fields.hint ?? null;
    this.table = fields.table ?? null;
    this.column = fields.column ?? null;
    this.constraint = fields.constraint ?? null;
    this.position = fields.position ?? null;
  }
}

/**
 * Servers going down, starting or full: nothing that the statement did. But 08P01 is: a wrong number of parameters.
 */
const serverTrouble = /^(08(?!P01)|53[023]|57P|58|F0|XX)/;

/** The failure of ours for `error`, thrown while `attempt` was made. */
export function translateError(error: unknown, attempt: string): unknown {
  if (error instanceof ServerError && !serverTrouble.test(error.code)) return toQueryError(error);
  if (error instanceof AppError || error instanceof QueryError) return error;
  if (error instanceof ServerError || error instanceof ConnectionLost || isSocketError(error)) {
    return new AppError("EXTERNAL_DB_ERROR", `${attempt}: the database server is not available`, {
      cause: error,
    });
  }
  return error;
}

function toQueryError({ fields }: ServerError): QueryError {
  return new QueryError({
    message: fields.M ?? "PostgreSQL reported an error",
    code: fields.C ?? "XX000",
    severity: fields.V ?? fields.S ?? "ERROR",
    detail: fields.D ?? null,
    hint: fields.H ?? null,
    table: fields.t ?? null,
    column: fields.c ?? null,
    constraint: fields.n ?? null,
    position: fields.P === undefined ? null : Number(fields.P),
  });
}

/** Whether `error` came from the socket: no server there, or gone. */
export function isSocketError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.TimedOut ||
    error instanceof Deno.errors.UnexpectedEof ||
    ["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE", "ENOTFOUND", "ETIMEDOUT"].includes(
      (error as { code?: string }).code ?? "",
    ) ||
    error.message.includes("closed the connection during login");
}

/** Name of the table that a permission error (42501) speaks of, if it is one. */
export function deniedTable(error: unknown): string | undefined {
  if (!(error instanceof QueryError) || error.code !== "42501") return undefined;
  return /^permission denied for table (.+)$/.exec(error.message)?.[1];
}

export function rowSecurityMissing(table: string, cause: unknown): AppError {
  return new AppError(
    "RLS_NOT_ENABLED",
    `Cannot use table "${table}" as an end user or anonymously: row-level security is not enabled on it`,
    { cause, details: { table } },
  );
}
