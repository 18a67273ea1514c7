// Sign-up, sign-in by password, `me` and sign-out, as a client sees them.

import assert from "node:assert/strict";
import { goodPassword, newEmail, newIp, TestUsers } from "./harness/end_users.ts";
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

const refusal = ({ status, body }: { status: number; body: { error: { code: string } } }) => [
  status,
  body.error.code,
];

Deno.test("signup makes an account without a session, and keeps no password in clear", async () => {
  const email = newEmail("Ada");
  const { status, body } = await users.post("signup", {
    email,
    password: goodPassword,
    display_name: " Ada ",
  });
  assert.equal(status, 201);
  assert.deepEqual(Object.keys(body).sort(), ["message", "user"]);
  const { id, ...rest } = body.user;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, { email, email_verified: false, display_name: "Ada" });
  const [row] = await p.sql`select end_users::text as text, password_hash from end_users where id = ${id}`;
  assert.match(row?.["password_hash"], /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.ok(!row?.["text"].includes(goodPassword));
  assert.deepEqual((await users.mails(email)).map(({ kind }) => kind), ["email_verify"]);
});

Deno.test("signup names each field that is wrong, and each rule that a password does not meet", async () => {
  const email = newEmail();
  const bad: [object, string][] = [
    [{}, "email"],
    [{ email, password: 1 }, "password"],
    [{ email: "ada", password: goodPassword }, "email"],
    [{ email: ["a@b.co"], password: goodPassword }, "email"],
    [{ email, password: "Aa1!" }, "password"],
    [{ email, password: `Aa1!${"é".repeat(511)}` }, "password"],
    [{ email, password: goodPassword, display_name: {} }, "display_name"],
    [{ email, password: goodPassword, display_name: "Ada\r\nBcc: eve@example.com" }, "display_name"],
    [{ email, password: goodPassword, display_name: "x".repeat(201) }, "display_name"],
  ];
  for (const [body, field] of bad) {
    const answer = await users.post("signup", body);
    assert.deepEqual(refusal(answer), [400, "VALIDATION_INVALID_SCHEMA"], JSON.stringify(body).slice(0, 80));
    const fields = answer.body.error.details.map(({ path }: { path: string[] }) => path[0]);
    assert.ok(fields.includes(field), JSON.stringify(fields));
  }
  for (const [password, unmet] of [["abcdefgh", 3], ["ABCDEFG1", 2], ["Abcdefg1", 1]] as const) {
    const answer = await users.post("signup", { email, password });
    assert.deepEqual(refusal(answer), [400, "VALIDATION_WEAK_PASSWORD"]);
    assert.equal(answer.body.error.details.length, unmet);
  }
  assert.deepEqual(refusal(await users.post("login", { email, password: goodPassword })), [
    401,
    "AUTH_INVALID_CREDENTIALS",
  ]);
});

Deno.test("bodies that are no object, broken, or 50 levels deep are the caller's mistake", async () => {
  const nested = `${'{"email":'.repeat(50)}1${"}".repeat(50)}`;
  const deepFields = { email: newEmail(), password: goodPassword, extra: JSON.parse(nested) };
  for (const route of ["signup", "login", "refresh", "magic-link", "magic-link/verify", "reset-password"]) {
    for (const body of ["", "{", "null", "[]", '"x"', "1", nested]) {
      const answer = await p.json("POST", `/auth/${users.app}/${route}`, {
        key: null,
        body,
        headers: { "x-forwarded-for": newIp() },
      });
      assert.equal(answer.status, 400, `${route} ${body.slice(0, 20)}`);
    }
  }
  const large = await users.post("login", { email: newEmail(), password: "x".repeat(100_000) });
  assert.deepEqual(refusal(large), [413, "PAYLOAD_TOO_LARGE"]);
  assert.equal((await users.post("signup", deepFields)).status, 201);
});

Deno.test("an address has one account, however it is written, also when many sign up at once", async () => {
  const email = newEmail("grace");
  const spellings = [email, email.toUpperCase(), ` ${email} `, email.replace("grace", "Grace")];
  const answers = await Promise.all(
    [...spellings, email].map((written) => users.post("signup", { email: written, password: goodPassword })),
  );
  assert.deepEqual(answers.map(({ status }) => status).filter((status) => status !== 409), [201]);
  assert.ok(answers.every(({ status, body }) => status === 201 || body.error.code === "RESOURCE_CONFLICT"));
  for (const written of spellings) {
    assert.equal(
      (await users.post("login", { email: written, password: goodPassword })).status,
      200,
      written,
    );
  }
  const elsewhere = new TestUsers(p, await p.createApp());
  assert.equal((await elsewhere.post("signup", { email, password: goodPassword })).status, 201);
});

Deno.test("login answers tokens and the user, in the contract's names", async () => {
  const email = newEmail();
  const { id } = await users.signUp(email);
  const { status, body, headers } = await users.post("login", { email, password: goodPassword });
  assert.equal(status, 200);
  const { access_token, refresh_token, ...rest } = body;
  assert.deepEqual(rest, {
    expires_in: 3600,
    token_type: "Bearer",
    user: { id, email, email_verified: false, display_name: null, avatar_url: null },
  });
  assert.match(refresh_token, /^[\w-]{32}$/);
  assert.match(access_token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(headers.get("x-ratelimit-limit"), "10");
  const stored = await p.sql`select t::text as text from end_user_refresh_tokens t`;
  assert.ok(stored.length > 0 && stored.every(({ text }) => !text.includes(refresh_token)));
});

Deno.test("nobody who is not let in is told why", async () => {
  const [email, mailed, blocked] = [newEmail(), newEmail(), newEmail()];
  await users.signUp(email);
  await users.post("magic-link", { email: mailed });
  const { id } = await users.signUp(blocked);
  await users.outbox();
  await p.json("PATCH", `/v1/${users.app}/admin/auth/users/${id}`, { body: { blocked: true } });
  const answers = [];
  for (
    const [to, password] of [
      [email, "Wrong-horse-7"],
      [newEmail(), goodPassword],
      [mailed, goodPassword],
      [blocked, goodPassword],
    ]
  ) {
    const { status, body } = await users.post("login", { email: to as string, password: password as string });
    const { request_id: _, ...error } = body.error;
    answers.push({ status, ...error });
  }
  assert.equal(answers[0]?.code, "AUTH_INVALID_CREDENTIALS");
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
});

Deno.test("a password is the same however its letters are composed, and no part of it is dropped", async () => {
  const email = newEmail();
  await users.signUp(email, "Caf\u00e9-Caf\u00e9-1 日本");
  assert.equal((await users.post("login", { email, password: "Cafe\u0301-Cafe\u0301-1 日本" })).status, 200);
  const long = newEmail();
  await users.signUp(long, `Aa1!${"x".repeat(1000)}`);
  assert.equal((await users.post("login", { email: long, password: `Aa1!${"x".repeat(999)}` })).status, 401);
  assert.equal((await users.post("login", { email: long, password: `Aa1!${"x".repeat(1000)}` })).status, 200);
});

Deno.test("a hash made with other parameters is made anew at the next login", async () => {
  const email = newEmail();
  const { id } = await users.signUp(email);
  const { hash } = await import("@node-rs/argon2");
  const former = await hash(goodPassword, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
  await p.sql`update end_users set password_hash = ${former} where id = ${id}`;
  assert.equal((await users.post("login", { email, password: "Wrong-horse-7" })).status, 401);
  const stored = async () =>
    (await p.sql`select password_hash from end_users where id = ${id}`)[0]?.["password_hash"];
  assert.equal(await stored(), former);
  assert.equal((await users.post("login", { email, password: goodPassword })).status, 200);
  assert.match(await stored(), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal((await users.post("login", { email, password: goodPassword })).status, 200);
});

Deno.test("public routes do not look at the bearer, whatever it is", async () => {
  const email = newEmail();
  const { refresh_token } = await users.signedIn(email);
  for (const bearer of ["nonsense", `bb_sk_${"f".repeat(40)}`, "a.b.c"]) {
    assert.equal(
      (await users.post("login", { email, password: goodPassword }, { bearer })).status,
      200,
      bearer,
    );
  }
  assert.equal((await users.post("refresh", { refresh_token }, { bearer: "a.b.c" })).status, 200);
});

Deno.test("me answers the user of the token, and logout ends every refresh token", async () => {
  const email = newEmail();
  const { access_token, user, refresh_token } = await users.signedIn(email);
  const again = (await users.post("login", { email, password: goodPassword })).body;
  const me = await users.get("me", access_token);
  const { created_at, last_sign_in_at, ...rest } = me.body;
  assert.deepEqual(rest, { ...user, provider: "email" });
  for (const time of [created_at, last_sign_in_at]) assert.match(time, /^\d{4}-.*\.\d{3}Z$/);

  assert.equal((await users.post("logout", {}, { bearer: access_token })).status, 200);
  for (const token of [refresh_token, again.refresh_token]) {
    assert.deepEqual(refusal(await users.post("refresh", { refresh_token: token })), [
      401,
      "AUTH_INVALID_TOKEN",
    ]);
  }
  assert.equal((await users.get("me", access_token)).status, 200);
});

Deno.test("me and logout take the access token of a user of this app and nothing else", async () => {
  const other = new TestUsers(p, await p.createApp());
  const foreign = await other.signedIn();
  const expired = await p.userToken(users.app, crypto.randomUUID(), {}, -1);
  const anonKey = (await p.json("GET", `/v1/${users.app}/config`)).body.anon_key;
  const bearers: [string | undefined, string][] = [
    [undefined, "AUTH_REQUIRED"],
    [anonKey, "AUTH_REQUIRED"],
    ["nonsense", "AUTH_INVALID_TOKEN"],
    [foreign.access_token, "AUTH_INVALID_TOKEN"],
    [foreign.refresh_token, "AUTH_INVALID_TOKEN"],
    [expired, "AUTH_INVALID_TOKEN"],
    [`bb_sk_${"0".repeat(40)}`, "AUTH_INVALID_API_KEY"],
  ];
  for (const [bearer, code] of bearers) {
    assert.deepEqual(refusal(await users.get("me", bearer)), [401, code], bearer);
    const out = await users.post("logout", {}, bearer === undefined ? {} : { bearer });
    assert.deepEqual(refusal(out), [401, code], bearer);
  }
  const stranger = await p.userToken(users.app, "u1");
  assert.deepEqual(refusal(await users.get("me", stranger)), [404, "RESOURCE_NOT_FOUND"]);
  assert.equal((await users.post("logout", {}, { bearer: stranger })).status, 200);
});

Deno.test("every auth route answers 404 for an app that is not there, and works while the app is paused", async () => {
  const missing = new TestUsers(p, "app_zzzzzzzzzzzz");
  const email = newEmail();
  const code = "123456";
  const bodies = {
    signup: { email, password: goodPassword },
    login: { email, password: goodPassword },
    refresh: { refresh_token: "x".repeat(32) },
    logout: {},
    "verify-email": { email, code },
    "forgot-password": { email },
    "reset-password": { email, code, new_password: goodPassword },
    "magic-link": { email },
    "magic-link/verify": { email, code },
  };
  for (const [route, body] of Object.entries(bodies)) {
    assert.deepEqual(refusal(await missing.post(route, body)), [404, "RESOURCE_NOT_FOUND"], route);
  }
  for (const route of ["me", ".well-known/jwks.json"]) {
    assert.deepEqual(refusal(await missing.get(route)), [404, "RESOURCE_NOT_FOUND"], route);
  }
  const paused = new TestUsers(p, await p.createApp());
  await p.json("PATCH", `/v1/${paused.app}/config/pause`, { body: { paused: true } });
  await paused.signedIn();
});
