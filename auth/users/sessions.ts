// Sessions: a chain of refresh tokens, of which the newest counts. Using one makes its successor; using one again means
// that two hold it, and ends the session for both. A successor follows from its token, so a caller whose answer was lost
// may ask again for a few seconds and gets the same one: the chain never forks.

import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { Sql } from "../../db/mod.ts";
import type { EndUserRow } from "../../db/queries/end_users.ts";
import {
  type CheckedState,
  findRotatedToken,
  insertSession,
  revokeSession,
  rotateToken,
} from "../../db/queries/end_user_sessions.ts";
import { storedTokenSeconds } from "../token_lifetimes.ts";
import type { EndUserTokens } from "../end_user_tokens.ts";
import type { AuthApp } from "./auth_app.ts";

/** How long after a rotation the same token still brings the same answer. */
const graceSeconds = 10;

/** A token answer, in the contract's names. */
export interface SessionTokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  token_type: "Bearer";
}

export interface SessionsParts {
  sql: Sql;
  tokens: EndUserTokens;
  log: Logger;
  /** What successors are derived with. */
  secret: Uint8Array<ArrayBuffer>;
}

export class Sessions {
  readonly #parts: SessionsParts;
  readonly #key: Promise<CryptoKey>;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    this.#key = crypto.subtle.importKey("raw", parts.secret, { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
    ]);
  }

  /** Opens a session; `null` when the account is gone or blocked, or no longer as it was checked. */
  async open(
    app: AuthApp,
    userId: string,
    checked: CheckedState = {},
  ): Promise<{ user: EndUserRow; tokens: SessionTokens } | null> {
    const token = base64url(crypto.getRandomValues(new Uint8Array(24)));
    const user = await insertSession(this.#parts.sql, {
      id: crypto.randomUUID(),
      userId,
      tokenHash: await hashOf(token),
      days: app.auth.refreshTokenTtlDays,
      checked,
    });
    return user === null ? null : { user, tokens: await this.#answer(app, user, token) };
  }

  /**
   * Exchanges a refresh token for its successor.
   * @throws {AppError} AUTH_INVALID_TOKEN for one that is unknown, expired, revoked or used.
   */
  async refresh(app: AuthApp, token: string): Promise<{ user: EndUserRow; tokens: SessionTokens }> {
    const { sql, log } = this.#parts;
    const successor = await this.#successorOf(token);
    const tokenHash = await hashOf(token);
    const user = await rotateToken(sql, {
      appId: app.id,
      tokenHash,
      successorHash: await hashOf(successor),
      days: app.auth.refreshTokenTtlDays,
    });
    if (user !== null) return { user, tokens: await this.#answer(app, user, successor) };
    const rotated = await findRotatedToken(sql, { appId: app.id, tokenHash, graceSeconds });
    if (rotated?.just_rotated) {
      return { user: rotated.user, tokens: await this.#answer(app, rotated.user, successor) };
    }
    if (rotated !== null) {
      await revokeSession(sql, rotated.session_id);
      log.warn("A refresh token was used twice; its session has ended", {
        app: app.id,
        user: rotated.user.id,
        session: rotated.session_id,
      });
    }
    throw new AppError("AUTH_INVALID_TOKEN", "The refresh token is wrong, expired, revoked or used", {
      remediation: "Sign in again.",
    });
  }

  async #answer(app: AuthApp, user: EndUserRow, refreshToken: string): Promise<SessionTokens> {
    const seconds = storedTokenSeconds(app.auth.accessTokenTtl);
    const claims = { email: user.email, email_verified: user.email_verified, app_id: app.id };
    return {
      access_token: await this.#parts.tokens.issue(app.id, { id: user.id, claims }, seconds),
      refresh_token: refreshToken,
      expires_in: seconds,
      token_type: "Bearer",
    };
  }

  async #successorOf(token: string): Promise<string> {
    const mac = await crypto.subtle.sign("HMAC", await this.#key, new TextEncoder().encode(token));
    return base64url(new Uint8Array(mac, 0, 24));
  }
}

/** What a refresh token is known by. */
export async function hashOf(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url" });
}
