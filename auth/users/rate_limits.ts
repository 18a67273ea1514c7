// How often somebody may try what strangers may try: by address of the network, and by account where one is named. Nodes
// share the counts in the control database; who is over the limit is remembered here, and costs no query.

import type { Clock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import type { AppId } from "../../core/ids.ts";
import { Lru } from "../../core/lru.ts";
import type { Sql } from "../../db/mod.ts";
import { countAttempt } from "../../db/queries/rate_windows.ts";
import { networkOf } from "./network.ts";

interface Window {
  readonly limit: number;
  readonly seconds: number;
}

const quarter = 15 * 60;
const day = 86_400;

/** The contract's numbers, for a network and for an account alike; codes have a day's limit besides. */
const rules = {
  signup: [{ limit: 5, seconds: quarter }],
  login: [{ limit: 10, seconds: quarter }],
  "magic-link": [{ limit: 5, seconds: quarter }],
  "magic-link/verify": [{ limit: 10, seconds: quarter }, { limit: 50, seconds: day }],
  refresh: [{ limit: 20, seconds: quarter }],
  "verify-email": [{ limit: 10, seconds: quarter }, { limit: 50, seconds: day }],
  "forgot-password": [{ limit: 3, seconds: quarter }],
  "reset-password": [{ limit: 5, seconds: quarter }, { limit: 50, seconds: day }],
  // A sign-in that is begun leaves a row behind.
  oauth: [{ limit: 300, seconds: quarter }],
} as const satisfies Record<string, readonly [Window, ...Window[]]>;

export type LimitedRoute = keyof typeof rules;

/** What is left of the narrowest limit. */
export interface Allowance {
  limit: number;
  remaining: number;
  resetSeconds: number;
}

export interface RateLimitsParts {
  sql: Sql;
  clock: Clock;
  enforced: boolean;
}

export class RateLimits {
  readonly #parts: RateLimitsParts;
  readonly #refused = new Lru<string, { resetsAt: number }>(20_000);

  constructor(parts: RateLimitsParts) {
    this.#parts = parts;
  }

  /**
   * Counts an attempt. Without an `ip` only the account is counted, without an `account` only the network.
   * @throws {AppError} QUOTA_RATE_LIMIT with the headers that say when to come back.
   */
  async take(
    route: LimitedRoute,
    appId: AppId,
    { ip, account }: { ip?: string | null; account?: string },
  ): Promise<Allowance | null> {
    const { sql, clock, enforced } = this.#parts;
    if (!enforced) return null;
    const [first] = rules[route];
    const windows = new Map<string, Window>();
    if (ip !== undefined) windows.set(`${appId} ${route} ip ${networkOf(ip)}`, first);
    if (account !== undefined) {
      for (const window of rules[route]) {
        windows.set(`${appId} ${route} account ${window.seconds} ${account}`, window);
      }
    }
    for (const [key, { limit }] of windows) {
      const refused = this.#refused.get(key);
      if (refused === undefined) continue;
      const left = refused.resetsAt - clock.monotonic();
      if (left > 0) throw tooMany(limit, Math.ceil(left / 1000));
      this.#refused.delete(key);
    }
    const counted = await countAttempt(sql, [...windows].map(([key, { seconds }]) => ({ key, seconds })));
    const uses = counted.map(({ key, count, resets_in }) => {
      const limit = windows.get(key)?.limit ?? 0;
      return { key, limit, remaining: limit - count, resetSeconds: Math.max(1, resets_in) };
    });
    for (const { key, remaining, resetSeconds } of uses) {
      if (remaining < 0) this.#refused.set(key, { resetsAt: clock.monotonic() + resetSeconds * 1000 });
    }
    const narrowest = uses.reduce((a, b) => a.remaining <= b.remaining ? a : b);
    if (narrowest.remaining < 0) throw tooMany(narrowest.limit, narrowest.resetSeconds);
    return narrowest;
  }
}

/** As headers of an answer. */
export function allowanceHeaders({ limit, remaining, resetSeconds }: Allowance): Record<string, string> {
  return {
    "x-ratelimit-limit": String(limit),
    "x-ratelimit-remaining": String(remaining),
    "x-ratelimit-reset": String(resetSeconds),
  };
}

function tooMany(limit: number, resetSeconds: number): AppError {
  return new AppError(
    "QUOTA_RATE_LIMIT",
    `Too many attempts: ${limit} are allowed, and more in ${resetSeconds} seconds`,
    {
      headers: {
        ...allowanceHeaders({ limit, remaining: 0, resetSeconds }),
        "retry-after": String(resetSeconds),
      },
    },
  );
}
