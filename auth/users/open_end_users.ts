// Puts the end users' parts together.

import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/log.ts";
import type { Sealer } from "../../core/sealing.ts";
import type { Sql } from "../../db/mod.ts";
import type { EndUserTokens } from "../end_user_tokens.ts";
import { Mails } from "../mail/mails.ts";
import { createSmtpMailer } from "../mail/smtp.ts";
import type { AuthHook } from "./auth_event.ts";
import { Codes } from "./codes.ts";
import { EndUsers } from "./end_users.ts";
import { Passwords } from "./passwords.ts";
import { RateLimits } from "./rate_limits.ts";
import { Sessions } from "./sessions.ts";
import { keepUsersTidy } from "./upkeep.ts";
import { UserAdministration } from "./user_administration.ts";

export interface OpenEndUsersParts {
  sql: Sql;
  tokens: EndUserTokens;
  sealer: Sealer;
  clock: Clock;
  log: Logger;
  hook: AuthHook;
  /** Keys of their own for refresh tokens and codes. */
  secrets: { sessions: Uint8Array<ArrayBuffer>; codes: Uint8Array<ArrayBuffer> };
  mail: { smtp: { url: string; from: string } | null; inLog: "notice" | "text" };
  limits: "on" | "off";
}

export interface OpenedEndUsers extends AsyncDisposable {
  readonly users: EndUsers;
  readonly administration: UserAdministration;
  readonly mails: Mails;
  readonly limits: RateLimits;
}

export function openEndUsers(parts: OpenEndUsersParts): OpenedEndUsers {
  const { sql, tokens, sealer, clock, log, hook, secrets, mail } = parts;
  const cores = navigator.hardwareConcurrency;
  const mailer = mail.smtp && createSmtpMailer(mail.smtp);
  const mails = new Mails({ sql, sealer, log, mailer, inLog: mail.inLog });
  const users = new EndUsers({
    sql,
    passwords: new Passwords({ atOnce: cores, waiting: 256 * cores }),
    sessions: new Sessions({ sql, tokens, log, secret: secrets.sessions }),
    codes: new Codes({ sql, secret: secrets.codes }),
    mails,
    hook,
    log,
  });
  const upkeep = keepUsersTidy({ sql, log });
  return {
    users,
    administration: new UserAdministration({ sql }),
    mails,
    limits: new RateLimits({ sql, clock, enforced: parts.limits === "on" }),
    async [Symbol.asyncDispose]() {
      await users.settled();
      await mails[Symbol.asyncDispose]();
      await upkeep[Symbol.asyncDispose]();
    },
  };
}
