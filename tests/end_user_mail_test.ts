// Mails over SMTP: what the server gets, what happens while it refuses, and that nothing from a stranger becomes a header.

import assert from "node:assert/strict";
import { createLogger } from "../core/log.ts";
import { newEmail, TestUsers } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { startSmtpServer } from "./harness/smtp_server.ts";

async function until<Value>(look: () => Promise<Value | undefined> | Value | undefined): Promise<Value> {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail("it did not happen");
}

const settings = (url: string) => ({
  BUTTERBASE_TRUST_PROXY: "on",
  BUTTERBASE_SMTP_URL: url,
  BUTTERBASE_MAIL_FROM: "auth@platform.example",
});

const sent = (users: TestUsers, to: string, status: string) =>
  until(async () => (await users.mails(to)).find((mail) => mail.status === status));

Deno.test("a mail goes to the SMTP server with the app's name, and its code is stored no more", async () => {
  await using smtp = startSmtpServer({ user: "mailer", password: "s3cret/@" });
  const url = `smtp://mailer:${encodeURIComponent("s3cret/@")}@127.0.0.1:${smtp.port}`;
  await using p = await startTestPlatform(settings(url));
  const users = new TestUsers(p, await p.createApp());
  const email = newEmail();
  await users.signUp(email);
  const { text, status, kind } = await sent(users, email, "sent");
  assert.deepEqual([text, status, kind, (await users.outbox()).delivery], [
    null,
    "sent",
    "email_verify",
    "smtp",
  ]);
  const [mail] = smtp.mails;
  assert.deepEqual([mail?.from, mail?.to], ["auth@platform.example", [email]]);
  assert.match(mail?.data ?? "", /^From: "?test-[\w-]+"? <auth@platform\.example>$/m);
  const code = /^(\d{6})$/m.exec(mail?.data ?? "")?.[1] ?? "";
  assert.equal((await users.post("verify-email", { email, code })).status, 200);
  const [row] = await p.sql`select text_sealed from end_user_mails`;
  assert.equal(row?.["text_sealed"], null);
});

Deno.test("a mail that the server does not take waits, is told of, tried again, and given up in the end", async () => {
  await using smtp = startSmtpServer();
  await using p = await startTestPlatform(settings(`smtp://127.0.0.1:${smtp.port}`));
  const users = new TestUsers(p, await p.createApp());
  const due = () => p.sql`update end_user_mails set next_attempt_at = now()`;
  smtp.refuse = "451 4.3.0 come back later";
  const [email, hopeless] = [newEmail(), newEmail()];
  await users.signUp(email);
  const waiting = await until(async () => (await users.mails(email)).find(({ error }) => error !== null));
  assert.deepEqual([waiting.status, waiting.text], ["queued", null]);
  assert.match(waiting.error, /come back later/);

  await p.sql`update end_user_mails set attempts = 4, next_attempt_at = now() where recipient = ${email}`;
  await users.signUp(hopeless);
  const given = await sent(users, email, "failed");
  assert.match(given.error, /come back later/);
  assert.equal(
    (await p.sql`select text_sealed from end_user_mails where recipient = ${email}`)[0]?.["text_sealed"],
    null,
  );

  smtp.refuse = null;
  await due();
  await users.post("magic-link", { email });
  await sent(users, hopeless, "sent");
  await sent(users, email, "sent");
  assert.deepEqual(smtp.mails.map(({ to }) => to[0]).sort(), [email, hopeless].sort());
});

Deno.test("two nodes send each mail once", async () => {
  await using smtp = startSmtpServer();
  await using p = await startTestPlatform(settings(`smtp://127.0.0.1:${smtp.port}`));
  await using second = await startTestPlatform(settings(`smtp://127.0.0.1:${smtp.port}`), { joining: p });
  const app = await p.createApp();
  const nodes = [new TestUsers(p, app), new TestUsers(second, app)];
  const emails = Array.from({ length: 20 }, () => newEmail());
  await Promise.all(emails.map((email, at) => (nodes[at % 2] as TestUsers).signUp(email)));
  await until(() => smtp.mails.length >= 20 ? true : undefined);
  await until(async () => {
    const { messages } = await (nodes[0] as TestUsers).outbox();
    return messages.every(({ status }: { status: string }) => status === "sent") || undefined;
  });
  assert.deepEqual(smtp.mails.map(({ to }) => to[0]).sort(), emails.toSorted());
});

Deno.test("neither a name nor an address puts a line or a recipient into a mail", async () => {
  await using smtp = startSmtpServer();
  await using p = await startTestPlatform(settings(`smtp://127.0.0.1:${smtp.port}`));
  const users = new TestUsers(p, await p.createApp());
  const password = "Correct-horse-7";
  for (
    const body of [
      { email: "a@example.com\r\nBcc: eve@example.com" },
      { email: "a@example.com, eve@example.com" },
      { email: "a@example.com>\r\nRCPT TO:<eve@example.com" },
      { email: '"a\r\nBcc: eve@example.com"@example.com' },
      { email: newEmail(), display_name: "x\r\nBcc: eve@example.com" },
      { email: newEmail(), display_name: "x\u2028y" },
    ]
  ) {
    assert.equal((await users.post("signup", { password, ...body })).status, 400, JSON.stringify(body));
    if (!("display_name" in body)) assert.equal((await users.post("magic-link", body)).status, 400);
  }
  const email = newEmail("o'brien+tag");
  await users.signUp(email);
  await sent(users, email, "sent");
  assert.deepEqual(smtp.mails.map(({ to }) => to), [[email]]);
});

/** The log of a platform without SMTP while somebody signs up and in. */
async function logOf(mailLog: "notice" | "text"): Promise<{ log: string; code: string; secrets: string[] }> {
  const lines: string[] = [];
  const log = createLogger({ level: "debug", write: (line) => void lines.push(line) });
  await using p: TestPlatform = await startTestPlatform(
    { BUTTERBASE_TRUST_PROXY: "on", BUTTERBASE_MAIL_LOG: mailLog },
    { log },
  );
  const users = new TestUsers(p, await p.createApp());
  const email = newEmail();
  const session = await users.signedIn(email);
  const again = (await users.post("refresh", { refresh_token: session.refresh_token })).body;
  await users.post("refresh", { refresh_token: again.refresh_token });
  await users.post("refresh", { refresh_token: session.refresh_token });
  await users.post("login", { email, password: "Wrong-horse-7" });
  const secrets = [session, again].flatMap((
    { access_token, refresh_token },
  ) => [access_token, refresh_token]);
  return {
    log: lines.join("\n"),
    code: await users.code(email, "email_verify"),
    secrets: [...secrets, "Correct-horse-7", "Wrong-horse-7"],
  };
}

Deno.test("without SMTP the log tells of the outbox and holds no code, password or token", async () => {
  const { log, code, secrets } = await logOf("notice");
  assert.match(log, /A mail waits in the outbox/);
  assert.match(log, /A refresh token was used twice/);
  for (const secret of [code, ...secrets]) assert.ok(!log.includes(secret));
});

Deno.test("BUTTERBASE_MAIL_LOG=text prints the code, and nothing else that is secret", async () => {
  const { log, code, secrets } = await logOf("text");
  assert.ok(log.includes(code));
  for (const secret of secrets) assert.ok(!log.includes(secret));
});
