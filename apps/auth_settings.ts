// Bodies of the configuration routes that are about signing in.

import { AppError } from "../core/errors.ts";

/** Whether REST and realtime answer those who are not signed in. */
export const accessModes = ["public", "authenticated"] as const;
export type AccessMode = (typeof accessModes)[number];

function field(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>)[name] : undefined;
}

function refuse(path: string, message: string): never {
  throw new AppError("VALIDATION_INVALID_SCHEMA", `Cannot change the configuration: ${message}`, {
    details: [{ path: [path], message }],
  });
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA */
export function parseAccessMode(body: unknown): AccessMode {
  const given = field(body, "access_mode");
  return accessModes.find((mode) => mode === given) ??
    refuse("access_mode", `access_mode must be ${accessModes.map((mode) => `"${mode}"`).join(" or ")}`);
}

export interface TokenBounds {
  /** Whether the text is a duration within bounds. */
  ttl(text: string): boolean;
  days: number;
}

/** What the body changes of the tokens' lifetimes. @throws {AppError} VALIDATION_INVALID_SCHEMA */
export function parseJwtSettings(
  body: unknown,
  bounds: TokenBounds,
): { access_token_ttl?: string; refresh_token_ttl_days?: number } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    refuse("", "the body must be a JSON object");
  }
  const [ttl, days] = [field(body, "accessTokenTtl"), field(body, "refreshTokenTtlDays")];
  if (ttl !== undefined && (typeof ttl !== "string" || !bounds.ttl(ttl))) {
    refuse("accessTokenTtl", "accessTokenTtl must be digits and s, m, h or d, above 60s and at most 24d");
  }
  if (days !== undefined && !(Number.isInteger(days) && Number(days) >= 1 && Number(days) <= bounds.days)) {
    refuse("refreshTokenTtlDays", `refreshTokenTtlDays must be a whole number from 1 to ${bounds.days}`);
  }
  return {
    ...(ttl === undefined ? {} : { access_token_ttl: ttl as string }),
    ...(days === undefined ? {} : { refresh_token_ttl_days: Number(days) }),
  };
}

/** Name of the function, or `null` to call none. @throws {AppError} VALIDATION_INVALID_SCHEMA */
export function parseAuthHook(body: unknown): string | null {
  const name = field(body, "post_auth_function");
  if (name === null || typeof name === "string" && name.length <= 100) return name;
  return refuse("post_auth_function", "post_auth_function must be the name of a function, or null");
}
