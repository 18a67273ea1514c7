// How long an app's tokens live. Clients overflow their timers beyond 24 days, and refresh without end below a minute.

import { durationSeconds } from "../core/duration.ts";

/** Longest life of an access token, in seconds. */
export const longestTokenSeconds = 24 * 86_400;
const shortestTokenSeconds = 61;
export const longestSessionDays = 3650;

/** Seconds of an `accessTokenTtl`, or `null` for one that is not written right or out of bounds. */
export function tokenSeconds(ttl: string): number | null {
  const seconds = durationSeconds(ttl);
  return seconds === null || seconds < shortestTokenSeconds || seconds > longestTokenSeconds ? null : seconds;
}

/** Seconds of an app's setting; what was stored before there were bounds is brought within them. */
export function storedTokenSeconds(ttl: string): number {
  const seconds = durationSeconds(ttl) ?? 3600;
  return Math.min(longestTokenSeconds, Math.max(shortestTokenSeconds, seconds));
}
