// What the logs of a function are asked for, read from the query string.

import { AppError } from "../core/errors.ts";

export const logLimits = { otherwise: 100, most: 1000 } as const;

export interface LogQuery {
  limit: number;
  since: Date | null;
  errorsOnly: boolean;
  includeDeleted: boolean;
}

/** @throws {AppError} VALIDATION_INVALID_INPUT, naming the parameter that is wrong. */
export function parseLogQuery(query: Readonly<Record<string, string | undefined>>): LogQuery {
  return {
    limit: parseLimit(query["limit"]),
    since: parseInstant("since", query["since"]),
    errorsOnly: query["level"] === "error",
    includeDeleted: parseFlag("include_deleted", query["include_deleted"]),
  };
}

function parseLimit(text: string | undefined): number {
  if (text === undefined || text === "") return logLimits.otherwise;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1) {
    throw wrong("limit", text, `a whole number from 1 to ${logLimits.most}`);
  }
  return Math.min(limit, logLimits.most);
}

/** An ISO time, or milliseconds since 1970. */
export function parseInstant(name: string, text: string | undefined): Date | null {
  if (text === undefined || text === "") return null;
  const inMs = /^\d{10,16}$/.test(text);
  const date = new Date(inMs ? Number(text) : text);
  const year = date.getUTCFullYear();
  // Date takes much else for a time: "-1" is a day in 2001.
  if (!(inMs || /^\d{4}-\d\d-\d\d/.test(text)) || Number.isNaN(year) || year < 1970 || year > 9999) {
    throw wrong(name, text, "an ISO 8601 time, as 2026-01-31T12:00:00Z");
  }
  return date;
}

function parseFlag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === "" || text === "false" || text === "0") return false;
  if (text === "true" || text === "1") return true;
  throw wrong(name, text, "true or false");
}

function wrong(name: string, text: string, allowed: string): AppError {
  return new AppError(
    "VALIDATION_INVALID_INPUT",
    `Cannot read the logs: ${name} is "${text.slice(0, 100)}", it must be ${allowed}`,
    {
      details: { path: name },
    },
  );
}
