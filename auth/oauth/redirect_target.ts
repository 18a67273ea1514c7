// The page that receives the tokens. Whoever could choose it freely would have everybody's tokens sent to himself: its
// origin has to be one that the app names, compared as a browser understands the URL, not as it is written.

import { AppError } from "../../core/errors.ts";
import type { SessionTokens } from "../users/mod.ts";

/** The URL in the spelling that browsers go by. @throws {AppError} VALIDATION_INVALID_INPUT. */
export function parseRedirectTarget(text: string, allowedOrigins: readonly string[]): string {
  const wrong = (why: string, remediation = "Send an absolute URL of a page of the app in redirect_to.") =>
    new AppError("VALIDATION_INVALID_INPUT", `Cannot sign in: redirect_to ${why}`, { remediation });
  if (text.length > 2048) throw wrong("is longer than 2048 characters");
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrong("is not an absolute http or https URL");
  if (url.username !== "" || url.password !== "") throw wrong("holds a user or a password");
  if (!allowedOrigins.includes(url.origin)) {
    throw wrong(
      `leads to "${url.origin}", which is not one of the app's allowed origins`,
      "The app's owner adds the origin with PATCH /v1/{app}/config/cors.",
    );
  }
  return url.href;
}

/** The page's URL with the tokens in its query, where the clients look for them. */
export function withTokens(target: string, tokens: SessionTokens): string {
  const url = new URL(target);
  for (const name of ["access_token", "refresh_token", "expires_in", "token_type"] as const) {
    url.searchParams.set(name, String(tokens[name]));
  }
  return url.href;
}
