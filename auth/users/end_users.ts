// What end users do: sign up, sign in by password or mailed code, refresh, sign out, prove their address, set a password
// anew. What a stranger is told depends on nothing that only the account's owner may know, but for sign-up, which has to
// say that an address is taken.

import { AppError } from "../../core/errors.ts";
import { isUuid } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import { type Sql, transaction } from "../../db/mod.ts";
import type { CodeKind } from "../../db/queries/end_user_codes.ts";
import { findSessionOfToken, revokeSessionsOf } from "../../db/queries/end_user_sessions.ts";
import {
  claimAddress,
  type EndUserRow,
  findEndUser,
  findEndUserByEmail,
  insertEndUser,
  replacePasswordHash,
  setEmailVerified,
  setPasswordHash,
} from "../../db/queries/end_users.ts";
import type { Mails } from "../mail/mails.ts";
import type { AuthApp } from "./auth_app.ts";
import { authEvent, type AuthHook } from "./auth_event.ts";
import type { CheckedCode, Codes } from "./codes.ts";
import type { EmailAddress } from "./email_address.ts";
import { LateWork } from "./late_work.ts";
import { checkRules, type Passwords } from "./passwords.ts";
import { accountOf, type ProviderProfile } from "./provider_accounts.ts";
import { hashOf, type Sessions } from "./sessions.ts";
import { type SignedIn, signIn } from "./sign_in.ts";
import { newUser, ownUser, signedInUser } from "./user_views.ts";

export interface EndUsersParts {
  sql: Sql;
  passwords: Passwords;
  sessions: Sessions;
  codes: Codes;
  mails: Mails;
  hook: AuthHook;
  log: Logger;
}

export class EndUsers {
  readonly #parts: EndUsersParts;
  readonly #late: LateWork;

  constructor(parts: EndUsersParts) {
    this.#parts = parts;
    this.#late = new LateWork(parts.log);
  }

  /** @throws {AppError} RESOURCE_CONFLICT when the address has an account, VALIDATION_WEAK_PASSWORD. */
  async signUp(
    app: AuthApp,
    { email, password, display_name }: { email: EmailAddress; password: string; display_name: string | null },
  ) {
    const { sql, passwords, hook } = this.#parts;
    const taken = () =>
      new AppError("RESOURCE_CONFLICT", `Cannot sign up: "${email.email}" has an account`, {
        remediation: "Sign in, or ask for a new password.",
      });
    if (await findEndUserByEmail(sql, app.id, email.emailKey) !== null) throw taken();
    checkRules(password);
    const password_hash = await passwords.hash(password);
    const user = await this.#withMail(app, "email_verify", (tx) =>
      insertEndUser(tx, {
        ...accountBase(app, email),
        password_hash,
        display_name,
      }));
    if (user === null) throw taken();
    hook(app, authEvent("signup", user, { provider: "email", isNewUser: true }));
    return newUser(user);
  }

  /** @throws {AppError} AUTH_INVALID_CREDENTIALS, the same for everybody who does not get in. */
  async signIn(
    app: AuthApp,
    { email, password }: { email: EmailAddress; password: string },
  ): Promise<SignedIn> {
    const { sql, passwords } = this.#parts;
    const user = await findEndUserByEmail(sql, app.id, email.emailKey);
    const stored = user?.password_hash ?? null;
    const matches = await passwords.verify(password, stored);
    const signedIn = user !== null && stored !== null && matches
      ? await signIn(this.#parts, app, user, {
        event: "login",
        provider: "email",
        isNewUser: false,
        checked: { passwordHash: stored },
      })
      : null;
    if (user === null || stored === null || signedIn === null) {
      throw new AppError("AUTH_INVALID_CREDENTIALS", "Invalid e-mail address or password");
    }
    if (passwords.isOutdated(stored)) {
      await replacePasswordHash(sql, user.id, { former: stored, hash: await passwords.hash(password) });
    }
    return signedIn;
  }

  /** The session that a refresh token belongs to, or `null`. */
  async sessionOf(app: AuthApp, token: string): Promise<string | null> {
    return await findSessionOfToken(this.#parts.sql, app.id, await hashOf(token));
  }

  /** @throws {AppError} AUTH_INVALID_TOKEN */
  async refresh(app: AuthApp, token: string): Promise<SignedIn> {
    const { tokens, user } = await this.#parts.sessions.refresh(app, token);
    return { ...tokens, user: signedInUser(user) };
  }

  /** Ends every session of the user. */
  async signOut(app: AuthApp, userId: string): Promise<void> {
    if (isUuid(userId)) await revokeSessionsOf(this.#parts.sql, app.id, userId);
  }

  /** @throws {AppError} RESOURCE_NOT_FOUND when the account is gone or blocked. */
  async me(app: AuthApp, userId: string) {
    const user = isUuid(userId) ? await findEndUser(this.#parts.sql, app.id, userId) : null;
    if (user !== null && user.blocked_at === null) return ownUser(user);
    throw new AppError("RESOURCE_NOT_FOUND", "The user that the token was issued to is no longer there", {
      remediation: "Sign in again.",
    });
  }

  /** @throws {AppError} VALIDATION_CODE_… */
  async verifyEmail(app: AuthApp, { email, code }: { email: EmailAddress; code: string }): Promise<void> {
    const checked = await this.#check(app, { email, code }, "email_verify");
    await transaction(this.#parts.sql, async (tx) => {
      await this.#parts.codes.use(tx, checked);
      await setEmailVerified(tx, checked.userId);
    });
  }

  /** Sends a code to whoever has a password to forget; returns before that is known. */
  forgotPassword(app: AuthApp, email: EmailAddress): void {
    this.#late.begin(
      "send a code for a new password",
      () =>
        this.#withMail(app, "password_reset", async (tx) => {
          const user = await findEndUserByEmail(tx, app.id, email.emailKey);
          return user?.provider === "email" && user.blocked_at === null ? user : null;
        }),
    );
  }

  /** @throws {AppError} VALIDATION_WEAK_PASSWORD, which leaves the code as it is, or VALIDATION_CODE_… */
  async resetPassword(
    app: AuthApp,
    { email, code, new_password }: { email: EmailAddress; code: string; new_password: string },
  ): Promise<void> {
    const { sql, codes, passwords } = this.#parts;
    checkRules(new_password);
    const checked = await this.#check(app, { email, code }, "password_reset");
    const hash = await passwords.hash(new_password);
    await transaction(sql, async (tx) => {
      await codes.use(tx, checked);
      await setPasswordHash(tx, checked.userId, hash);
      await revokeSessionsOf(tx, app.id, checked.userId);
    });
  }

  /** Sends a code to sign in with, to an account that is made if there is none; returns before that is known. */
  sendMagicLink(app: AuthApp, email: EmailAddress): void {
    this.#late.begin("send a code to sign in with", () =>
      this.#withMail(app, "magic_link", async (tx) => {
        const user = await findEndUserByEmail(tx, app.id, email.emailKey) ??
          await insertEndUser(tx, { ...accountBase(app, email), password_hash: null, display_name: null }) ??
          await findEndUserByEmail(tx, app.id, email.emailKey);
        return user?.blocked_at === null ? user : null;
      }));
  }

  /** Signs in by a mailed code, which proves the address. @throws {AppError} VALIDATION_CODE_… */
  async signInByCode(
    app: AuthApp,
    { email, code }: { email: EmailAddress; code: string },
  ): Promise<SignedIn> {
    const checked = await this.#check(app, { email, code }, "magic_link");
    const user = await transaction(this.#parts.sql, async (tx) => {
      await this.#parts.codes.use(tx, checked);
      const found = await findEndUser(tx, app.id, checked.userId);
      if (found?.email_verified === false) await claimAddress(tx, found.id);
      return found;
    });
    const way = {
      event: "magic_link_login",
      provider: "magic_link",
      isNewUser: user?.last_sign_in_at === null,
    } as const;
    const signedIn = user && await signIn(this.#parts, app, user, way);
    if (signedIn === null) throw new AppError("VALIDATION_CODE_INVALID", "Invalid sign-in code");
    return signedIn;
  }

  /**
   * Signs in somebody whom a provider has identified.
   * @throws {AppError} RESOURCE_CONFLICT when the address has an account that this identity may not enter.
   */
  async signInByProvider(app: AuthApp, profile: ProviderProfile): Promise<SignedIn> {
    const { user, isNew } = await accountOf(this.#parts.sql, app, profile);
    const way = {
      event: "oauth_login",
      provider: profile.provider,
      isNewUser: isNew,
      // Whoever proves the address meanwhile ends what this identity had.
      checked: { emailVerified: user.email_verified },
    } as const;
    const signedIn = await signIn(this.#parts, app, user, way);
    if (signedIn !== null) return signedIn;
    throw new AppError(
      "AUTH_FORBIDDEN",
      `Cannot sign in by ${profile.provider}: the account is blocked or gone`,
    );
  }

  /** Mails that were asked for are stored. */
  async settled(): Promise<void> {
    await this.#late.settled();
  }

  async #check(
    app: AuthApp,
    { email, code }: { email: EmailAddress; code: string },
    kind: CodeKind,
  ): Promise<CheckedCode> {
    return await this.#parts.codes.check(app.id, { emailKey: email.emailKey, kind, code });
  }

  /** Finds or makes a user and stores a mail with a code for it, both or neither. */
  async #withMail(
    app: AuthApp,
    kind: CodeKind,
    find: (tx: Parameters<Parameters<typeof transaction>[1]>[0]) => Promise<EndUserRow | null>,
  ): Promise<EndUserRow | null> {
    const { sql, codes, mails } = this.#parts;
    const done = await transaction(sql, async (tx) => {
      const user = await find(tx);
      if (user === null) return null;
      const code = await codes.issue(tx, user.id, kind);
      return { user, mail: await mails.store(tx, user, { kind, code, appName: app.name }) };
    });
    if (done === null) return null;
    mails.dispatch(done.mail);
    return done.user;
  }
}

function accountBase(app: AuthApp, { email, emailKey }: EmailAddress) {
  return {
    id: crypto.randomUUID(),
    app_id: app.id,
    email,
    email_key: emailKey,
    email_verified: false,
    provider: "email",
    avatar_url: null,
  };
}
