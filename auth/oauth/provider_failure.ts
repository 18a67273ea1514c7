// Names what went wrong with a provider, in words that its owner can use and that give nobody a token, a secret or an
// address of the platform's network.

import * as oauth from "oauth4webapi";
import { AppError } from "../../core/errors.ts";

const attempts: Readonly<Record<string, string>> = {
  redirect: "the provider's redirect cannot be used",
  token: "the code could not be exchanged",
  keys: "the ID token could not be verified",
  profile: "the profile could not be read",
};

const noAnswer = "it gave no answer, not in time, or more than is read";

/** The failure of a step of a sign-in. */
export function providerFailure(provider: string, step: string, error: unknown): AppError {
  const reason = reasonOf(error);
  const details = { provider, step, reason };
  const message = `Cannot sign in by ${provider}: ${attempts[step] ?? step}: ${reason}`;
  return new AppError(step === "redirect" ? "AUTH_OAUTH_DENIED" : "AUTH_OAUTH_FAILED", message, {
    cause: error,
    details,
  });
}

function reasonOf(error: unknown): string {
  if (error instanceof AppError) {
    return error.code === "EGRESS_REFUSED" ? "its address may not be reached" : noAnswer;
  }
  if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
    const words = [error.error, error.error_description].map(printable).filter((word) => word !== "");
    return `it answered "${words.join(": ")}"`;
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) return `it answered with status ${error.status}`;
  if (error instanceof DOMException && error.name === "TimeoutError") return noAnswer;
  return error instanceof Error ? printable(error.message) : "it failed";
}

/** Text of a stranger, for a line. */
function printable(text: unknown): string {
  return typeof text === "string" ? text.replace(/[^\x20-\x7e]+/g, " ").slice(0, 200).trim() : "";
}
