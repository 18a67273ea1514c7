// What an app's owner sets and sees of its end users: lists, blocks, deletions, lifetimes of tokens, access mode and hook.

import assert from "node:assert/strict";
import { type Answer, goodPassword, newEmail, TestUsers } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_TRUST_PROXY: "on" });
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const refusal = ({ status, body }: Answer) => [status, body.error?.code];

Deno.test("the list shows every user once, newest first, also those made in the same microsecond", async () => {
  const app = await p.createApp();
  await p.sql`
    insert into end_users (id, app_id, email, email_key, email_verified, created_at)
    select gen_random_uuid(), ${app}, n || '@example.com', n || '@example.com', false,
      '2026-01-01T00:00:00.123456Z'::timestamptz + make_interval(secs => (n / 10) * 0.000001)
    from generate_series(1, 57) as n`;
  const seen: { id: string; email: string; created_at: string }[] = [];
  let cursor: string | null = "";
  let pages = 0;
  while (cursor !== null) {
    const { status, body } = await p.json("GET", `/v1/${app}/admin/auth/users?limit=10&cursor=${cursor}`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.ok(body.users.length <= 10);
    seen.push(...body.users);
    cursor = body.next_cursor;
    pages++;
  }
  assert.equal(pages, 6);
  assert.equal(new Set(seen.map(({ id }) => id)).size, 57);
  const tens = seen.map(({ email }) => Math.floor(Number.parseInt(email) / 10));
  assert.deepEqual(tens, tens.toSorted((a, b) => b - a));
  const all = (await p.json("GET", `/v1/${app}/admin/auth/users`)).body;
  assert.deepEqual([all.users.length, typeof all.next_cursor], [50, "string"]);
  assert.equal((await p.json("GET", `/v1/${app}/admin/auth/users?limit=0`)).body.users.length, 1);
  assert.equal((await p.json("GET", `/v1/${app}/admin/auth/users?limit=9999`)).body.next_cursor, null);
});

Deno.test("a row of the list has the contract's fields and no secret; search finds a part of the address", async () => {
  const users = new TestUsers(p, await p.createApp());
  const email = newEmail("Find.me%_");
  await users.signUp();
  const { user } = await users.signedIn(email);
  for (const search of [email, email.toUpperCase(), "find.me%_", "%25_"]) {
    const query = new URLSearchParams({ search: search === "%25_" ? "%_" : search });
    const { body } = await p.json("GET", `/v1/${users.app}/admin/auth/users?${query}`);
    assert.equal(body.users.length, 1, search);
    const { last_sign_in_at, created_at, ...row } = body.users[0];
    assert.ok(last_sign_in_at >= created_at);
    assert.deepEqual(row, {
      id: user.id,
      email,
      provider: "email",
      provider_uid: null,
      email_verified: false,
      display_name: null,
      blocked: false,
    });
  }
  assert.deepEqual((await p.json("GET", `/v1/${users.app}/admin/auth/users?search=nobody`)).body.users, []);
});

Deno.test("bad cursors and unknown users are the caller's mistake", async () => {
  const users = new TestUsers(p, await p.createApp());
  const other = new TestUsers(p, await p.createApp());
  const { id } = await other.signUp();
  const path = `/v1/${users.app}/admin/auth/users`;
  const encoded = (text: string) =>
    new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
  for (const cursor of ["x", "!!", encoded("1"), encoded(`1' or 1=1 ${id}`), encoded(`9e9 ${id}`), "%00"]) {
    assert.deepEqual(refusal(await p.json("GET", `${path}?cursor=${cursor}`)), [
      400,
      "VALIDATION_INVALID_TYPE",
    ], cursor);
  }
  for (const wrong of [id, crypto.randomUUID(), "x", "%00", "..%2f"]) {
    assert.deepEqual(refusal(await p.json("DELETE", `${path}/${wrong}`)), [404, "RESOURCE_NOT_FOUND"], wrong);
    const blocked = await p.json("PATCH", `${path}/${wrong}`, { body: { blocked: true } });
    assert.deepEqual(refusal(blocked), [404, "RESOURCE_NOT_FOUND"], wrong);
  }
  assert.deepEqual(refusal(await p.json("PATCH", `${path}/${id}`, { body: {} })), [
    400,
    "VALIDATION_INVALID_SCHEMA",
  ]);
});

Deno.test("a deleted user leaves nothing behind, and the address is free", async () => {
  const users = new TestUsers(p, await p.createApp());
  const email = newEmail();
  const { user } = await users.signedIn(email);
  const { status, body } = await p.json("DELETE", `/v1/${users.app}/admin/auth/users/${user.id}`);
  assert.deepEqual([status, body], [200, { deleted: true, user_id: user.id, email }]);
  for (const table of ["end_user_sessions", "end_user_codes", "end_user_mails"]) {
    assert.equal((await p.sql`select 1 from ${p.sql(table)} where user_id = ${user.id}`).length, 0, table);
  }
  assert.notEqual((await users.signUp(email)).id, user.id);
});

Deno.test("a deleted app leaves no user behind", async () => {
  const users = new TestUsers(p, await p.createApp());
  await users.signedIn();
  assert.equal((await p.json("DELETE", `/apps/${users.app}`)).status, 200);
  assert.equal((await p.sql`select 1 from end_users where app_id = ${users.app}`).length, 0);
  assert.equal((await users.post("login", { email: newEmail(), password: goodPassword })).status, 404);
});

Deno.test("config/jwt sets the lifetimes within bounds, and what is left out stays", async () => {
  const users = new TestUsers(p, await p.createApp());
  const path = `/v1/${users.app}/config/jwt`;
  const set = (body: object) => p.json("PATCH", path, { body });
  assert.deepEqual((await set({})).body.jwt_config, { accessTokenTtl: "1h", refreshTokenTtlDays: 7 });
  const changed = await set({ accessTokenTtl: "15m" });
  assert.deepEqual(changed.body, {
    message: changed.body.message,
    app_id: users.app,
    jwt_config: { accessTokenTtl: "15m", refreshTokenTtlDays: 7 },
  });
  await set({ refreshTokenTtlDays: 30, token_ttl: "1d" });
  const session = await users.signedIn();
  assert.equal(session.expires_in, 900);
  const [token] = await p.sql`
    select extract(day from expires_at - t.created_at)::int as days from end_user_refresh_tokens t
    join end_user_sessions s on s.id = t.session_id where s.app_id = ${users.app}`;
  assert.equal(token?.["days"], 30);
  const bad = [
    ...["0s", "60s", "25d", "9999d", "1w", "", "15", 900, null].map((accessTokenTtl) => ({ accessTokenTtl })),
    ...[0, -1, 1.5, "7", null, 1e9].map((refreshTokenTtlDays) => ({ refreshTokenTtlDays })),
  ];
  for (const body of bad) {
    assert.deepEqual(refusal(await set(body)), [400, "VALIDATION_INVALID_SCHEMA"], JSON.stringify(body));
  }
  assert.deepEqual((await set({})).body.jwt_config, { accessTokenTtl: "15m", refreshTokenTtlDays: 30 });
});

Deno.test("config/access-mode takes the two modes; sign-up stays open in both", async () => {
  const users = new TestUsers(p, await p.createApp());
  const path = `/v1/${users.app}/config/access-mode`;
  for (const access_mode of ["authenticated", "public"]) {
    const { status, body } = await p.json("PATCH", path, { body: { access_mode } });
    assert.deepEqual([status, body.access_mode, body.app_id], [200, access_mode, users.app]);
    assert.equal((await p.json("GET", `/v1/${users.app}/config`)).body.access_mode, access_mode);
    await users.signedIn();
  }
  for (const access_mode of ["private", "", null, 1, ["public"]]) {
    assert.deepEqual(refusal(await p.json("PATCH", path, { body: { access_mode } })), [
      400,
      "VALIDATION_INVALID_SCHEMA",
    ]);
  }
});

const hook = `export default async function handler(req, ctx) {
  const event = await req.json();
  const { rows } = await ctx.db.query("select current_user as role");
  console.log(JSON.stringify({ event, role: rows[0].role, user: ctx.user, trigger: ctx.trigger.type }));
  if (event.user.email.startsWith("fail")) throw new Error("the hook failed");
  return new Response("ok");
}`;

Deno.test("the post-auth hook is told of each way in, as the service, also while the app is paused", async () => {
  const users = new TestUsers(p, await p.createApp());
  await p.deploy(users.app, "hook", hook, { trigger: { type: "cron", config: { schedule: "0 0 1 1 *" } } });
  const path = `/v1/${users.app}/config/auth-hooks`;
  for (const body of [{ post_auth_function: "missing" }, {}, { post_auth_function: 1 }]) {
    assert.deepEqual(refusal(await p.json("PATCH", path, { body })), [400, "VALIDATION_INVALID_SCHEMA"]);
  }
  const set = await p.json("PATCH", path, { body: { post_auth_function: "hook" } });
  assert.deepEqual([set.status, set.body.auth_hook_function, "app_id" in set.body], [200, "hook", true]);
  await p.json("PATCH", `/v1/${users.app}/config/pause`, { body: { paused: true } });
  const email = newEmail();
  const { user, refresh_token } = await users.signedIn(email);
  await users.post("refresh", { refresh_token });
  await users.post("magic-link", { email });
  await users.post("magic-link/verify", { email, code: await users.code(email, "magic_link") });
  const lines = await p.logs(users.app, "hook", { count: 3 });
  const said = lines.map((line) => JSON.parse(line.consoleLogs[0].message));
  const seen = Object.fromEntries(said.map((told) => [told.event.event, told]));
  assert.deepEqual(Object.keys(seen).sort(), ["login", "magic_link_login", "signup"]);
  const about = { id: user.id, email, provider: "email", display_name: null, avatar_url: null };
  assert.deepEqual(seen["signup"].event, {
    event: "signup",
    user: about,
    isNewUser: true,
    provider: "email",
  });
  assert.deepEqual(seen["magic_link_login"].event, {
    event: "magic_link_login",
    user: about,
    isNewUser: false,
    provider: "magic_link",
  });
  for (const { role, user: of, trigger } of said) {
    assert.deepEqual([role, of, trigger], ["butterbase_service", null, "auth_hook"]);
  }
  assert.equal((await p.json("PATCH", path, { body: { post_auth_function: null } })).status, 200);
});

Deno.test("a hook that fails is in its log, and the sign-in stands", async () => {
  const users = new TestUsers(p, await p.createApp());
  await p.deploy(users.app, "hook", hook);
  await p.json("PATCH", `/v1/${users.app}/config/auth-hooks`, { body: { post_auth_function: "hook" } });
  await users.signedIn(newEmail("fail"));
  const [line] = await p.logs(users.app, "hook", { count: 2 });
  assert.match(line.error, /the hook failed/);
  await p.json("DELETE", `/v1/${users.app}/functions/hook`);
  await users.signedIn();
});
