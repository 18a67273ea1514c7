// The kill switch of an app: a column of its row, so that it outlives every restart.

import { AppError } from "../core/errors.ts";

export interface PauseRequest {
  paused: boolean;
  reason: string | null;
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA. */
export function parsePause(body: unknown): PauseRequest {
  const { paused, reason = null } = (typeof body === "object" ? body ?? {} : {}) as Record<string, unknown>;
  if (typeof paused !== "boolean") throw wrong("paused", "must be true or false");
  if (reason !== null && (typeof reason !== "string" || reason.length > 500)) {
    throw wrong("reason", "must be a string of at most 500 characters");
  }
  return { paused, reason: reason as string | null };
}

function wrong(path: string, message: string): AppError {
  return new AppError("VALIDATION_INVALID_SCHEMA", `Cannot pause or resume the app: ${path} ${message}`, {
    details: [{ path: [path], message }],
  });
}
