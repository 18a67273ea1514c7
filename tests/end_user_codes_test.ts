// Codes that come by mail: confirming an address, a new password, signing in without one; and who may not get in by them.

import assert from "node:assert/strict";
import { tidyUsers } from "../auth/users/upkeep.ts";
import { resetToken } from "../auth/users/reset_token.ts";
import { type Answer, goodPassword, newEmail, newIp, TestUsers, wrongCode } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let users: TestUsers;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_TRUST_PROXY: "on" });
  users = new TestUsers(p, await p.createApp());
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const newPassword = "Other-horse-8";
const refusal = ({ status, body }: Answer) => [status, body.error?.code, body.error?.message];

Deno.test("verify-email confirms the address once, with the mailed code alone", async () => {
  const email = newEmail();
  const { access_token } = await users.signedIn(email);
  const code = await users.code(email, "email_verify");
  const verify = (given: string, to = email) => users.post("verify-email", { email: to, code: given });
  for (const bad of ["12345", "1234567", "abcdef", "", "１２３４５６"]) {
    assert.deepEqual(refusal(await verify(bad)).slice(0, 2), [400, "VALIDATION_INVALID_SCHEMA"], bad);
  }
  assert.deepEqual(refusal(await verify(wrongCode(code))), [
    400,
    "VALIDATION_CODE_INVALID",
    "Invalid verification code",
  ]);
  assert.equal((await users.get("me", access_token)).body.email_verified, false);
  const done = await verify(code, email.toUpperCase());
  assert.deepEqual([done.status, Object.keys(done.body)], [200, ["message"]]);
  assert.equal((await users.get("me", access_token)).body.email_verified, true);
  assert.deepEqual(refusal(await verify(code)), [
    400,
    "VALIDATION_CODE_USED",
    "Verification code already used",
  ]);
});

Deno.test("a code is good for one thing, one account and one app, and the newest ends those before", async () => {
  const [email, other] = [newEmail(), newEmail()];
  await users.signUp(email);
  await users.signUp(other);
  await users.post("magic-link", { email });
  const former = await users.code(email, "magic_link");
  const post = (route: string, code: string, to = email) =>
    users.post(route, { email: to, code, new_password: newPassword });
  for (const route of ["verify-email", "reset-password"]) {
    assert.equal((await post(route, former)).body.error.code, "VALIDATION_CODE_INVALID", route);
  }
  assert.equal((await post("magic-link/verify", former, other)).body.error.code, "VALIDATION_CODE_INVALID");
  const elsewhere = new TestUsers(p, await p.createApp());
  await elsewhere.signUp(email);
  const foreign = await elsewhere.post("magic-link/verify", { email, code: former });
  assert.equal(foreign.body.error.code, "VALIDATION_CODE_INVALID");
  let latest = former;
  while (latest === former) {
    await users.post("magic-link", { email });
    latest = await users.code(email, "magic_link");
  }
  assert.deepEqual(refusal(await post("magic-link/verify", former)), [
    400,
    "VALIDATION_CODE_INVALID",
    "Invalid sign-in code",
  ]);
  assert.equal((await post("magic-link/verify", latest)).status, 200);
});

Deno.test("a code ends after five wrong ones, whatever addresses they came from", async () => {
  const email = newEmail();
  await users.post("magic-link", { email });
  const code = await users.code(email, "magic_link");
  for (let tries = 0; tries < 5; tries++) {
    assert.equal((await users.post("magic-link/verify", { email, code: wrongCode(code) })).status, 400);
  }
  const { body } = await users.post("magic-link/verify", { email, code });
  assert.equal(body.error.code, "VALIDATION_CODE_INVALID");
});

Deno.test("of many who send the same code at once, one gets in", async () => {
  const email = newEmail();
  await users.post("magic-link", { email });
  const code = await users.code(email, "magic_link");
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => users.post("magic-link/verify", { email, code })),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400, 400, 400]);
  const codes = answers.filter(({ status }) => status === 400).map(({ body }) => body.error.code);
  assert.deepEqual(new Set(codes), new Set(["VALIDATION_CODE_USED"]));
});

Deno.test("an expired code says so to who knows it, and to nobody else", async () => {
  const email = newEmail();
  await users.post("magic-link", { email });
  const code = await users.code(email, "magic_link");
  await p.sql`
    update end_user_codes c set expires_at = now() from end_users u where u.id = c.user_id and u.email = ${email}`;
  const post = (given: string) => users.post("magic-link/verify", { email, code: given });
  assert.deepEqual(refusal(await post(code)), [400, "VALIDATION_CODE_EXPIRED", "Sign-in code expired"]);
  assert.deepEqual(refusal(await post(wrongCode(code))).slice(0, 2), [400, "VALIDATION_CODE_INVALID"]);
});

Deno.test("a magic link makes the account, signs in, and confirms the address", async () => {
  const email = newEmail();
  const asked = await users.post("magic-link", { email });
  assert.deepEqual([asked.status, Object.keys(asked.body)], [200, ["message"]]);
  const code = await users.code(email, "magic_link");
  const { status, body } = await users.post("magic-link/verify", { email, code });
  assert.equal(status, 200);
  assert.deepEqual({ ...body.user, id: "" }, {
    id: "",
    email,
    email_verified: true,
    display_name: null,
    avatar_url: null,
  });
  assert.equal((await users.get("me", body.access_token)).body.provider, "email");
  const taken = await users.post("signup", { email, password: goodPassword });
  assert.equal(taken.status, 409);
});

Deno.test("whoever signed up with somebody else's address has nothing once its owner comes", async () => {
  const email = newEmail("victim");
  const attacker = await users.signedIn(email, "Attacker-pass-1");
  await users.post("magic-link", { email });
  const owner = await users.post("magic-link/verify", { email, code: await users.code(email, "magic_link") });
  assert.equal(owner.status, 200);
  assert.equal((await users.post("login", { email, password: "Attacker-pass-1" })).status, 401);
  assert.equal((await users.post("refresh", { refresh_token: attacker.refresh_token })).status, 401);
  assert.equal((await users.post("refresh", { refresh_token: owner.body.refresh_token })).status, 200);

  // A confirmed address keeps its password.
  const own = newEmail();
  await users.signUp(own);
  await users.post("verify-email", { email: own, code: await users.code(own, "email_verify") });
  await users.post("magic-link", { email: own });
  await users.post("magic-link/verify", { email: own, code: await users.code(own, "magic_link") });
  assert.equal((await users.post("login", { email: own, password: goodPassword })).status, 200);
});

Deno.test("reset-password sets a new one and ends every session; a weak one leaves the code as it is", async () => {
  const email = newEmail();
  const before = await users.signedIn(email);
  await users.post("forgot-password", { email });
  const code = await users.code(email, "password_reset");
  const reset = (body: object) => users.post("reset-password", { email, ...body });
  const weak = await reset({ code, new_password: "abcdefgh" });
  assert.deepEqual(refusal(weak).slice(0, 2), [400, "VALIDATION_WEAK_PASSWORD"]);
  const done = await reset({ code, new_password: newPassword });
  assert.deepEqual([done.status, Object.keys(done.body)], [200, ["message"]]);
  assert.equal((await users.post("refresh", { refresh_token: before.refresh_token })).status, 401);
  assert.equal((await users.post("login", { email, password: goodPassword })).status, 401);
  const after = await users.post("login", { email, password: newPassword });
  assert.deepEqual([after.status, after.body.user.email_verified], [200, false]);
  assert.deepEqual(refusal(await reset({ code, new_password: goodPassword })), [
    400,
    "VALIDATION_CODE_USED",
    "Reset code already used",
  ]);
});

Deno.test("reset-password also takes the SDK's form, with the token that the mail holds", async () => {
  const email = newEmail("Zoë");
  await users.signUp(email);
  await users.post("forgot-password", { email });
  const [mail] = await users.mails(email, "password_reset");
  const token = resetToken(email, await users.code(email, "password_reset"));
  assert.ok(mail.text.includes(`\n${token}\n`));
  for (const wrong of ["", "x", "!!", token.slice(1)]) {
    const { status, body } = await users.post("reset-password", { token: wrong, newPassword });
    assert.deepEqual([status, body.error.code], [400, "VALIDATION_CODE_INVALID"], wrong);
  }
  assert.equal((await users.post("reset-password", { token, newPassword })).status, 200);
  assert.equal((await users.post("login", { email, password: newPassword })).status, 200);
});

Deno.test("nothing tells an address with an account from one without in what is answered", async () => {
  const [known, unknown] = [newEmail(), newEmail()];
  await users.signUp(known);
  await users.outbox();
  const shapes = async (route: string, body: (email: string) => object) => {
    const seen = [];
    for (const email of [known, unknown]) {
      const { status, body: answer, headers } = await users.post(route, body(email), { ip: newIp() });
      const { request_id: _, ...error } = answer.error ?? {};
      seen.push({
        status,
        answer: answer.error === undefined ? answer : error,
        names: [...headers.keys()].sort(),
      });
    }
    return seen;
  };
  const code = "123456";
  for (
    const [route, body] of [
      ["login", (email: string) => ({ email, password: "Wrong-horse-7" })],
      ["forgot-password", (email: string) => ({ email })],
      ["magic-link/verify", (email: string) => ({ email, code })],
      ["verify-email", (email: string) => ({ email, code })],
      ["reset-password", (email: string) => ({ email, code, new_password: goodPassword })],
      ["magic-link", (email: string) => ({ email })],
    ] as const
  ) {
    const [first, second] = await shapes(route, body);
    assert.deepEqual(first, second, route);
  }
  assert.deepEqual(await users.mails(unknown, "password_reset"), []);
  assert.equal((await users.mails(known, "password_reset")).length, 1);
});

Deno.test("the outbox is the owner's alone, and what is stored of a mail is sealed", async () => {
  const email = newEmail();
  await users.signUp(email);
  const code = await users.code(email, "email_verify");
  const path = `/v1/${users.app}/admin/auth/outbox`;
  const stranger = await p.addAccount();
  assert.equal((await p.json("GET", path, { key: null })).status, 401);
  assert.equal((await p.json("GET", path, { key: stranger })).status, 404);
  const { access_token } = await users.signedIn();
  assert.equal((await p.json("GET", path, { key: access_token })).status, 401);
  const rows = await p.sql`
    select m::text || c::text as text from end_user_mails m join end_user_codes c using (user_id)
    where m.recipient = ${email}`;
  assert.equal(rows.length, 1);
  assert.ok(!rows[0]?.["text"].includes(code));
});

Deno.test("the outbox is kept for a day, and bounded for each app", async () => {
  const mine = new TestUsers(p, await p.createApp());
  const { id } = await mine.signUp();
  await p.sql`
    insert into end_user_mails (id, app_id, user_id, kind, recipient, subject, status, created_at)
    select gen_random_uuid(), ${mine.app}, ${id}, 'magic_link', 'x@example.com', 'x', 'held',
      now() - make_interval(secs => n * 60)
    from generate_series(1, 1500) as n`;
  await tidyUsers(p.sql);
  const { messages } = await mine.outbox();
  assert.equal(messages.length, 200);
  assert.equal(messages[0].kind, "email_verify");
  const [stored] = await p.sql`select count(*)::int as kept from end_user_mails where app_id = ${mine.app}`;
  assert.equal(stored?.["kept"], 200);
});
