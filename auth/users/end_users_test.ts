// That a stranger's address takes the same work as a user's: the same statements, and one password check.

import assert from "node:assert/strict";
import { newAppId, newUuid } from "../../core/ids.ts";
import { silentLogger } from "../../core/log.ts";
import { systemClock } from "../../core/clock.ts";
import { Secret } from "../../core/config.ts";
import { createSealer } from "../../core/sealing.ts";
import type { Sql } from "../../db/mod.ts";
import { insertAccount } from "../../db/queries/accounts.ts";
import { insertApp } from "../../db/queries/apps.ts";
import { openTestDatabase } from "../../db/testing.ts";
import { createEndUserTokens } from "../end_user_tokens.ts";
import { Mails } from "../mail/mails.ts";
import { Codes } from "./codes.ts";
import { EndUsers } from "./end_users.ts";
import { Passwords } from "./passwords.ts";
import { Sessions } from "./sessions.ts";
import type { EmailAddress } from "./email_address.ts";

/** The client, noting the text of each statement. */
function recording(sql: Sql, seen: string[]): Sql {
  return new Proxy(sql, {
    apply(target, self, given) {
      if (Array.isArray(given[0]) && "raw" in given[0]) seen.push(given[0].join("?"));
      return Reflect.apply(target as never, self, given);
    },
  });
}

class CountedPasswords extends Passwords {
  checks: string[] = [];
  override verify(password: string, stored: string | null): Promise<boolean> {
    this.checks.push(password);
    return super.verify(password, stored);
  }
}

const secret = new Uint8Array(32).fill(1);
const address = (email: string): EmailAddress => ({ email, emailKey: email });

async function openUsers() {
  const test = await openTestDatabase();
  const { control, notices } = test.database;
  const owner = await insertAccount(control, {
    id: newUuid(),
    email: "o@example.com",
    name: "O",
    operator: true,
  });
  const id = newAppId();
  await insertApp(control, {
    id,
    owner_id: owner?.id as never,
    name: "x",
    subdomain: "x",
    db_name: "x",
    region: "r",
    anon_key: "k",
  });
  const statements: string[] = [];
  const sql = recording(control, statements);
  const sealer = await createSealer(new Secret("1".repeat(64)));
  const tokens = await createEndUserTokens({ sql: control, notices, sealer, clock: systemClock });
  const passwords = new CountedPasswords({ atOnce: 2, waiting: 10 });
  const log = silentLogger;
  const users = new EndUsers({
    sql,
    passwords,
    sessions: new Sessions({ sql, tokens, log, secret }),
    codes: new Codes({ sql, secret }),
    mails: new Mails({ sql, sealer, log, mailer: null, inLog: "notice" }),
    hook() {},
    log,
  });
  const app = { id, name: "x", auth: { accessTokenTtl: "1h", refreshTokenTtlDays: 7 } };
  return { test, users, app, statements, passwords };
}

Deno.test("a stranger's address takes the same statements and the same hash as a user's", async () => {
  const { test, users, app, statements, passwords } = await openUsers();
  await using _ = test;
  const known = address("known@example.com");
  await users.signUp(app, { email: known, password: "Correct-horse-7", display_name: null });
  users.forgotPassword(app, known);
  users.sendMagicLink(app, known);
  await users.settled();
  const attempts: Record<string, (email: EmailAddress) => Promise<unknown>> = {
    signIn: (email) => users.signIn(app, { email, password: "Wrong-horse-7" }),
    verifyEmail: (email) => users.verifyEmail(app, { email, code: "000000" }),
    signInByCode: (email) => users.signInByCode(app, { email, code: "000000" }),
    resetPassword: (email) =>
      users.resetPassword(app, { email, code: "000000", new_password: "Other-horse-8" }),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    const traces = [];
    for (const email of [known, address("stranger@example.com")]) {
      statements.length = passwords.checks.length = 0;
      const error = await attempt(email).then(() => null, (thrown) => thrown);
      traces.push({ statements: [...statements], checks: [...passwords.checks], said: error?.message });
    }
    assert.ok((traces[0]?.statements.length ?? 0) > 0, name);
    assert.deepEqual(traces[0], traces[1], name);
    assert.equal(traces[0]?.checks.length, name === "signIn" ? 1 : 0);
  }
});

Deno.test("a mail is asked for and answered before anything is looked up", async () => {
  const { test, users, app, statements } = await openUsers();
  await using _ = test;
  const { control } = test.database;
  for (const [ask, made] of [[users.forgotPassword, 0], [users.sendMagicLink, 1]] as const) {
    statements.length = 0;
    assert.equal(ask.call(users, app, address("stranger@example.com")), undefined);
    assert.deepEqual(statements, []);
    assert.equal((await control`select 1 from end_user_mails`).length, 0);
    await users.settled();
    assert.equal((await control`select 1 from end_user_mails`).length, made);
  }
});

Deno.test("Passwords.verify() says no for who has none, and refuses when too many wait", async () => {
  const passwords = new Passwords({ atOnce: 1, waiting: 1 });
  assert.equal(await passwords.verify("Correct-horse-7", null), false);
  const stored = await passwords.hash("Correct-horse-7");
  const answers = await Promise.allSettled([1, 2, 3].map(() => passwords.verify("Correct-horse-7", stored)));
  assert.deepEqual(answers.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
  assert.equal((answers[2] as PromiseRejectedResult).reason.code, "QUOTA_RATE_LIMIT");
});
