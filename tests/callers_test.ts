// Who calls, and what that makes of `ctx`: each row of the table in docs/functions.md, then each member.

import assert from "node:assert/strict";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
/** A call whose background work outlasts its time: it runs while the other tests do, and the last one looks at it. */
let outlasting: { app: string; url: string; answeredAt: number };
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
  const { app, url } = await deployed(`
    if (req.method === "POST") return Response.json(await ctx.db.query("select word from words").then((r: any) => r.rows));
    await ctx.db.asService((db: any) => db.query("create table words (word text)"));
    console.log("answered");
    ctx.waitUntil(new Promise(() => {}));
    ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 60_000)).then(() =>
      ctx.db.asService((db: any) => db.query("insert into words values ('too late')"))));
    return new Response("answered");`);
  assert.equal(await (await fetch(url)).text(), "answered");
  outlasting = { app, url, answeredAt: performance.now() };
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

/** An app with one function `probe` that anybody may call, whose handler has this body. */
async function deployed(
  body: string,
  options: Record<string, unknown> = {},
): Promise<{ app: string; url: string }> {
  const app = await p.createApp();
  return { app, url: await add(app, "probe", body, options) };
}

function add(
  app: string,
  name: string,
  body: string,
  options: Record<string, unknown> = {},
): Promise<string> {
  return p.deploy(
    app,
    name,
    `const state: any = {};
    const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    export default async function handler(req: Request, ctx: any): Promise<any> {\n${body}\n}`,
    options,
  );
}

// deno-lint-ignore no-explicit-any -- the test knows what its function answers.
async function call(url: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<any> {
  const response = await fetch(url, { ...init, headers });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const who = `
  const { rows: [row] } = await ctx.db.query("select current_user::text as role, session_user::text as login, current_user_id() as uid");
  return Response.json({ user: ctx.user, caller: ctx.caller, ...row });`;
const anonymous = { type: "anonymous", keyId: null, scope: null, userId: null };

interface World {
  app: string;
  urls: Record<"required" | "optional" | "none", string>;
}

async function openWorld(): Promise<World> {
  const app = await p.createApp();
  const urls = {
    required: await add(app, "required", who, { auth: "required" }),
    optional: await add(app, "optional", who, { auth: "optional" }),
    none: await add(app, "none", who, { auth: "none" }),
  };
  return { app, urls };
}

/** The function runs under each `auth`, and sees this. */
async function assertRuns({ urls }: World, headers: Record<string, string>, seen: object): Promise<void> {
  for (const [auth, url] of Object.entries(urls)) assert.deepEqual(await call(url, headers), seen, auth);
}

async function assertRefused(url: string, headers: Record<string, string>, status: number, code: string) {
  const response = await fetch(url, { headers });
  const { error } = await response.json();
  assert.deepEqual([response.status, error.code], [status, code]);
  assert.notEqual(error.remediation, "");
  assert.equal(error.request_id, response.headers.get("x-request-id"));
}

/** Refused where a caller must be known, anonymous elsewhere. */
async function assertUnknown({ urls }: World, headers: Record<string, string>, code: string): Promise<void> {
  await assertRefused(urls.required, headers, 401, code);
  const seen = {
    user: null,
    caller: anonymous,
    role: "butterbase_anon",
    login: "butterbase_anon",
    uid: null,
  };
  for (const url of [urls.optional, urls.none]) assert.deepEqual(await call(url, headers), seen);
}

async function makeKey(body: object, key = ownerKey): Promise<{ key: string; keyId: string }> {
  const made = await p.json("POST", "/api-keys", { key, body });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body;
}

// Callers.

Deno.test("an end user runs as butterbase_user with the claims of the token, whatever `auth` says", async () => {
  const world = await openWorld();
  const token = await p.userToken(world.app, "user-1", { email: "ada@example.com", role: "editor" });
  const first = await call(world.urls.required, bearer(token));
  assert.equal(first.user.claims.role, "editor");
  assert.equal(first.user.claims.sub, "user-1");
  await assertRuns(world, bearer(token), {
    user: { id: "user-1", email: "ada@example.com", claims: first.user.claims },
    caller: { type: "end_user_jwt", keyId: null, scope: null, userId: "user-1" },
    role: "butterbase_user",
    login: "butterbase_user",
    uid: "user-1",
  });
});

Deno.test("a platform key with access runs as butterbase_service, whatever `auth` says", async () => {
  const world = await openWorld();
  const account = await makeKey({ name: "account" });
  const scoped = await makeKey({ name: "scoped", key_scope: "app", target_app_id: world.app });
  const service = { user: null, role: "butterbase_service", login: "butterbase_service", uid: null };
  await assertRuns(world, bearer(account.key), {
    ...service,
    caller: { type: "service_key", keyId: account.keyId, scope: "*", userId: null },
  });
  await assertRuns(world, bearer(scoped.key), {
    ...service,
    caller: { type: "service_key", keyId: scoped.keyId, scope: `app:${world.app}`, userId: null },
  });
});

Deno.test("a developer's own key runs their function; the operator's runs it too", async () => {
  const developer = await p.addAccount();
  const app = await p.createApp({ key: developer });
  const url = await add(app, "mine", who, { auth: "required", key: developer });
  for (const key of [developer, ownerKey]) {
    assert.equal((await call(url, bearer(key))).role, "butterbase_service");
  }
});

Deno.test("a platform key may call as a user, and runs as butterbase_user then", async () => {
  const world = await openWorld();
  const account = await makeKey({ name: "account" });
  const scoped = await makeKey({ name: "scoped", key_scope: "app", target_app_id: world.app });
  for (const [{ key, keyId }, scope] of [[account, "*"], [scoped, `app:${world.app}`]] as const) {
    await assertRuns(world, { ...bearer(key), "x-butterbase-as-user": "  user-7 " }, {
      user: { id: "user-7", email: null, claims: {} },
      caller: { type: "service_key", keyId, scope, userId: "user-7" },
      role: "butterbase_user",
      login: "butterbase_user",
      uid: "user-7",
    });
  }
  const blank = await call(world.urls.none, { ...bearer(account.key), "x-butterbase-as-user": "  " });
  assert.equal(blank.role, "butterbase_service");
});

Deno.test("a function may forbid calls as a user: 403 AUTH_IMPERSONATION_DISABLED", async () => {
  const app = await p.createApp();
  const url = await add(app, "own", who, { auth: "required", allow_service_key_impersonation: false });
  const headers = { ...bearer(ownerKey), "x-butterbase-as-user": "user-7" };
  await assertRefused(url, headers, 403, "AUTH_IMPERSONATION_DISABLED");
  assert.equal((await call(url, bearer(ownerKey))).role, "butterbase_service");
  await p.json("PATCH", `/v1/${app}/functions/own/settings`, {
    body: { allow_service_key_impersonation: true },
  });
  assert.equal((await call(url, headers)).role, "butterbase_user");
});

Deno.test("nobody else may call as a user", async () => {
  const world = await openWorld();
  const other = await p.createApp();
  const foreign = await makeKey({ name: "foreign", key_scope: "app", target_app_id: other });
  const as = { "x-butterbase-as-user": "user-7" };
  const user = bearer(await p.userToken(world.app, "user-1"));
  for (const url of Object.values(world.urls)) {
    await assertRefused(url, { ...user, ...as }, 403, "AUTH_IMPERSONATION_FORBIDDEN");
  }
  for (const credential of [{}, bearer(foreign.key), bearer(await p.addAccount())]) {
    await assertRefused(world.urls.required, { ...credential, ...as }, 401, "AUTH_REQUIRED");
    await assertRefused(world.urls.none, { ...credential, ...as }, 403, "AUTH_IMPERSONATION_FORBIDDEN");
  }
});

Deno.test("nobody, and a credential of another kind, is anonymous or AUTH_REQUIRED", async () => {
  const world = await openWorld();
  await assertUnknown(world, {}, "AUTH_REQUIRED");
  await assertUnknown(world, { authorization: "Basic eDp5" }, "AUTH_REQUIRED");
  await assertUnknown(world, { authorization: "Bearer" }, "AUTH_REQUIRED");
  await assertUnknown(world, { authorization: "Bearer   " }, "AUTH_REQUIRED");
});

Deno.test("the anon key means anonymous", async () => {
  const world = await openWorld();
  const { body } = await p.json("GET", `/v1/${world.app}/config`);
  const anonKey = body.anon_key ?? body.anonKey ?? (await anonKeyOf(world));
  await assertUnknown(world, bearer(anonKey), "AUTH_REQUIRED");
});

async function anonKeyOf({ app }: World): Promise<string> {
  return (await call(await add(app, "key", "return Response.json(ctx.env.BUTTERBASE_ANON_KEY);"))) as string;
}

Deno.test("a key that has nothing to do with the app is anonymous or AUTH_REQUIRED", async () => {
  const developer = await p.addAccount();
  const app = await p.createApp({ key: developer });
  const world: World = {
    app,
    urls: {
      required: await add(app, "required", who, { auth: "required", key: developer }),
      optional: await add(app, "optional", who, { auth: "optional", key: developer }),
      none: await add(app, "none", who, { auth: "none", key: developer }),
    },
  };
  await assertUnknown(world, bearer(await p.addAccount()), "AUTH_REQUIRED");
  const other = await p.createApp({ key: developer });
  const scoped = await makeKey({ name: "other", key_scope: "app", target_app_id: other }, developer);
  await assertUnknown(world, bearer(scoped.key), "AUTH_REQUIRED");
});

Deno.test("a wrong, foreign, expired, forged or revoked token is anonymous or AUTH_INVALID_TOKEN", async () => {
  const world = await openWorld();
  const token = await p.userToken(world.app, "user-1");
  const [head, payload, signature] = token.split(".") as [string, string, string];
  const encode = (value: object) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  const decoded = JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" })),
  );
  const revoked = await makeKey({ name: "revoked" });
  assert.equal((await call(world.urls.required, bearer(revoked.key))).role, "butterbase_service");
  await p.json("DELETE", `/api-keys/${revoked.keyId}`);
  const bad: Record<string, string> = {
    nonsense: "nonsense",
    "a key that does not exist": `bb_sk_${"f".repeat(40)}`,
    "a key in the wrong form": "bb_sk_short",
    "a revoked key": revoked.key,
    "an expired token": await p.userToken(world.app, "user-1", {}, -5),
    "another app's token": await p.userToken(await p.createApp(), "user-1"),
    "a changed payload": `${head}.${encode({ ...decoded, sub: "admin" })}.${signature}`,
    "no signature": `${head}.${payload}.`,
    "alg none": `${encode({ alg: "none", typ: "JWT" })}.${payload}.`,
    "a symmetric alg": `${encode({ alg: "HS256", kid: "x" })}.${payload}.${signature}`,
    "a very long one": `${head}.${"a".repeat(20_000)}.${signature}`,
  };
  for (const [what, credential] of Object.entries(bad)) {
    await assertUnknown(world, bearer(credential), "AUTH_INVALID_TOKEN").catch((error) => {
      throw new Error(`${what}: ${error.message}`, { cause: error });
    });
  }
});

Deno.test("a token that expires is refused from then on, although it was good before", async () => {
  const world = await openWorld();
  const token = await p.userToken(world.app, "user-1", {}, 2);
  assert.equal((await call(world.urls.required, bearer(token))).user.id, "user-1");
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await assertRefused(world.urls.required, bearer(token), 401, "AUTH_INVALID_TOKEN");
});

Deno.test("ctx.invoke runs the other function as its own caller, whatever the other's `auth` says", async () => {
  const world = await openWorld();
  const relay = await add(
    world.app,
    "relay",
    `return Response.json(await Promise.all(["required", "optional", "none"].map(async (name) => (await ctx.invoke(name)).json())));`,
  );
  const scope = `app:${world.app}`;
  const cases: [headers: Record<string, string>, user: string | null, role: string][] = [
    [{}, null, "butterbase_anon"],
    [bearer(await p.userToken(world.app, "user-1")), "user-1", "butterbase_user"],
    [bearer(ownerKey), null, "butterbase_service"],
    [{ ...bearer(ownerKey), "x-butterbase-as-user": "user-7" }, "user-7", "butterbase_user"],
  ];
  for (const [headers, userId, role] of cases) {
    for (const seen of await call(relay, headers)) {
      assert.deepEqual(seen.caller, { type: "loopback", keyId: null, scope, userId });
      assert.deepEqual([seen.user?.id ?? null, seen.role, seen.uid], [userId, role, userId]);
    }
  }
});

// ctx.db.

Deno.test("asUser, asAnon and asService run in their role, also inside one another", async () => {
  const { url } = await deployed(`
    const ask = async (db: any) => Object.values((await db.query("select current_user::text, session_user::text, current_user_id()")).rows[0]);
    const seen: any = { plain: await ask(ctx.db) };
    seen.user = await ctx.db.asUser("u-1", ask);
    seen.anon = await ctx.db.asAnon(ask);
    seen.service = await ctx.db.asService(ask);
    seen.nested = await ctx.db.asUser("u-1", async (user: any) => [
      await ctx.db.asAnon(async (anon: any) => [
        await ctx.db.asService(ask), await ask(anon), await ask(user), await ask(ctx.db),
      ]),
      await ctx.db.asUser("u-2", ask),
      await ask(user),
    ]);
    return Response.json(seen);`);
  const user = (id: string) => ["butterbase_user", "butterbase_user", id];
  const anon = ["butterbase_anon", "butterbase_anon", null];
  const service = ["butterbase_service", "butterbase_service", null];
  const roles = {
    user: user("u-1"),
    anon,
    service,
    nested: [[service, anon, user("u-1"), anon], user("u-2"), user("u-1")],
  };
  assert.deepEqual(await call(url), { plain: anon, ...roles });
});

Deno.test("SQL cannot leave its role", async () => {
  const { url } = await deployed(`
    const attempts = ["set role butterbase_service", "set session authorization butterbase_service",
      "reset role; select 1", "reset session authorization; select 1", "set local role postgres",
      "select set_config('role', 'butterbase_service', false)", "discard all",
      "begin; set local request.jwt.claim.sub to 'admin'; commit"];
    const seen: any[] = [];
    for (const sql of attempts) {
      await ctx.db.query(sql).catch(() => {});
      await ctx.db.asUser("u-1", (db: any) => db.query(sql)).catch(() => {});
      const { rows: [row] } = await ctx.db.query("select current_user::text as role, current_user_id() as uid");
      const { rows: [user] } = await ctx.db.asUser("u-1", async (db: any) => {
        await db.query("reset role");
        return await db.query("select current_user::text as role, current_user_id() as uid");
      });
      seen.push([row.role, row.uid, user.role, user.uid]);
    }
    return Response.json(seen);`);
  for (const seen of await call(url)) {
    assert.deepEqual(seen, ["butterbase_anon", null, "butterbase_user", "u-1"]);
  }
});

Deno.test("row-level security shows each caller their own rows, and a table without it none", async () => {
  const { app, url } = await deployed(`
    if (req.method === "PUT") {
      await ctx.db.asService(async (db: any) => {
        await db.query("create table notes (owner text, body text)");
        await db.query("create table plain (body text)");
        await db.query("alter table notes enable row level security");
        await db.query("create policy own on notes using (owner = current_user_id()) with check (owner = current_user_id())");
        await db.query("insert into notes values ('a', 'of a'), ('b', 'of b')");
      });
      return Response.json("made");
    }
    const { rows } = await ctx.db.query("select body from notes order by body");
    const plain = await ctx.db.query("select * from plain").then(() => "open", (error: any) => error.code);
    const forged = await ctx.db.query("insert into notes values ('b', 'forged')").then(() => "in", (error: any) => error.code);
    await ctx.db.query("delete from notes where body = 'forged'");
    return Response.json([rows.map((row: any) => row.body), plain, forged]);`);
  await call(url, {}, { method: "PUT" });
  assert.deepEqual(await call(url), [[], "RLS_NOT_ENABLED", "42501"]);
  assert.deepEqual(await call(url, bearer(await p.userToken(app, "a"))), [
    ["of a"],
    "RLS_NOT_ENABLED",
    "42501",
  ]);
  assert.deepEqual(await call(url, bearer(ownerKey)), [["of a", "of b"], "open", "in"]);
});

Deno.test("a callback's transaction is committed when it returns, and rolled back when it throws", async () => {
  const { url } = await deployed(`
    await ctx.db.asService((db: any) => db.query("create table t (n int)"));
    const count = async () => await ctx.db.asService(async (db: any) => (await db.query("select count(*) from t")).rows[0].count);
    const seen: any[] = [];
    seen.push(await ctx.db.asService(async (db: any) => { await db.query("insert into t values (1)"); seen.push(await count()); return "value"; }));
    seen.push(await count());
    seen.push(await ctx.db.asService(async (db: any) => { await db.query("insert into t values (2)"); throw new RangeError("mine"); })
      .catch((error: any) => error.name + " " + error.message));
    seen.push(await count());
    seen.push(await ctx.db.asService(async (db: any) => { await db.query("insert into t values (3)"); await db.query("select 1/0").catch(() => {}); })
      .catch((error: any) => error.code));
    seen.push(await count());
    let kept: any;
    await ctx.db.asService((db: any) => { kept = db; });
    seen.push(await kept.query("select 1").catch((error: any) => error.message));
    seen.push(await ctx.db.asUser("", () => 1).catch((error: any) => error.name));
    seen.push(await ctx.db.asAnon("no function").catch((error: any) => error.name));
    return Response.json(seen);`);
  const seen = await call(url);
  assert.deepEqual(seen.slice(0, 7), [0, "value", 1, "RangeError mine", 1, "40000", 1]);
  assert.match(seen[7], /has ended/);
  assert.deepEqual(seen.slice(8), ["TypeError", "TypeError"]);
});

Deno.test("what a call leaves open is rolled back when it ends", async () => {
  const { app, url } = await deployed(`
    if (req.method === "POST") {
      return Response.json(await ctx.db.asService(async (db: any) => (await db.query("select count(*) from t")).rows[0].count));
    }
    await ctx.db.asService((db: any) => db.query("create table t (n int)"));
    const inserted = Promise.withResolvers<void>();
    void ctx.db.asService(async (db: any) => {
      await db.query("insert into t values (1)");
      inserted.resolve();
      await sleep(200);
    }).catch(() => {});
    await inserted.promise;
    return Response.json("left open");`);
  await call(url);
  await p.logs(app, "probe");
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await call(url, {}, { method: "POST" }), 0);
});

Deno.test("values come as the contract's table says", async () => {
  const { url } = await deployed(`
    const show = (value: any): any =>
      value instanceof Date ? ["Date", value.toISOString()]
      : value instanceof Uint8Array ? ["Uint8Array", ...value]
      : Array.isArray(value) ? value.map(show)
      : typeof value === "number" && !Number.isFinite(value) ? ["number", String(value)]
      : value;
    const { texts } = await req.json();
    const seen: any[] = [];
    for (const text of texts) {
      seen.push(await ctx.db.query("select " + text + " as v").then((result: any) => show(result.rows[0].v), (error: any) => error.message));
    }
    return Response.json(seen);`);
  const table: [sql: string, value: unknown][] = [
    ["7::int2", 7],
    ["(-2147483648)::int4", -2147483648],
    ["9007199254740991::int8", 9007199254740991],
    ["9007199254740992::int8", "9007199254740992"],
    ["(-9223372036854775808)::int8", "-9223372036854775808"],
    ["count(*)", 1],
    ["12345678901234567890.10::numeric", "12345678901234567890.10"],
    ["1.50::numeric(10,2)", "1.50"],
    ["1.1::float4", 1.1],
    ["0.1::float8 + 0.2::float8", 0.1 + 0.2],
    ["'NaN'::float8", ["number", "NaN"]],
    ["'-Infinity'::float8", ["number", "-Infinity"]],
    ["true", true],
    ["false", false],
    ["'te\"xt, é 😀'", 'te"xt, é 😀'],
    ["'c'::char(3)", "c  "],
    ["'v'::varchar", "v"],
    ["null", null],
    ["null::int8", null],
    ["''", ""],
    ['\'{"a": [1, null, "x"], "__proto__": 1}\'::json', JSON.parse('{"a": [1, null, "x"], "__proto__": 1}')],
    ["'[1, {\"b\": true}]'::jsonb", [1, { b: true }]],
    ["'null'::jsonb", null],
    ["'\"text\"'::jsonb", "text"],
    ["'2024-02-29 12:34:56.789+02'::timestamptz", ["Date", "2024-02-29T10:34:56.789Z"]],
    ["'2024-02-29 12:34:56.789123'::timestamp", ["Date", "2024-02-29T12:34:56.789Z"]],
    ["'2024-02-29'::date", ["Date", "2024-02-29T00:00:00.000Z"]],
    ["'infinity'::timestamptz", "infinity"],
    ["'0044-03-15 BC'::date", "0044-03-15 BC"],
    ["'12:34:56'::time", "12:34:56"],
    ["'1 day 02:03:04'::interval", "1 day 02:03:04"],
    ["'\\x00ff10'::bytea", ["Uint8Array", 0, 255, 16]],
    ["''::bytea", ["Uint8Array"]],
    ["'6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b'::uuid", "6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b"],
    ["'10.1.2.3/8'::inet", "10.1.2.3/8"],
    ["array[1, null, 3]::int4[]", [1, null, 3]],
    ["array[9007199254740993, 1]::int8[]", ["9007199254740993", 1]],
    ["array['a,b', 'c\"d', 'e\\f', '', null, 'NULL', '{}']::text[]", [
      "a,b",
      'c"d',
      "e\\f",
      "",
      null,
      "NULL",
      "{}",
    ]],
    ["array[[1,2],[3,4]]", [[1, 2], [3, 4]]],
    ["'{}'::text[]", []],
    ["'[0:1]={7,8}'::int4[]", [7, 8]],
    ["array[true, false]", [true, false]],
    ["array['{\"a\": 1}', '[2]']::jsonb[]", [{ a: 1 }, [2]]],
    ["array['2024-01-01 00:00Z']::timestamptz[]", [["Date", "2024-01-01T00:00:00.000Z"]]],
    ["array['\\x01ff']::bytea[]", [["Uint8Array", 1, 255]]],
    ["array[1.10, 2]::numeric[]", ["1.10", "2"]],
    ["'(1,2)'::point", "(1,2)"],
  ];
  const seen = await call(url, { "content-type": "application/json" }, {
    method: "POST",
    body: JSON.stringify({ texts: table.map(([sql]) => sql) }),
  });
  for (const [at, [sql, value]] of table.entries()) assert.deepEqual(seen[at], value, sql);
});

Deno.test("a result has rows, rowCount, fields and command", async () => {
  const { url } = await deployed(`
    return Response.json(await ctx.db.asService(async (db: any) => [
      await db.query("create table t (id int primary key, body text)"),
      await db.query("insert into t values (1, 'a'), (2, 'b'), (3, 'c') returning id"),
      await db.query("update t set body = 'x' where id > 1"),
      await db.query("select id, body from t where id = $1", [9]),
      await db.query("delete from t"),
      await db.query("select 1 as a; select 2 as b, 'z' as c"),
      await db.query("select 1 as \\"__proto__\\", 2 as constructor"),
    ].map(({ rows, rowCount, fields, command }: any) => [JSON.stringify(rows), rowCount, fields.map((f: any) => [f.name, f.dataTypeID]), command])));`);
  assert.deepEqual(await call(url), [
    ["[]", 0, [], "CREATE TABLE"],
    ['[{"id":1},{"id":2},{"id":3}]', 3, [["id", 23]], "INSERT"],
    ["[]", 2, [], "UPDATE"],
    ["[]", 0, [["id", 23], ["body", 25]], "SELECT"],
    ["[]", 3, [], "DELETE"],
    ['[{"b":2,"c":"z"}]', 1, [["b", 23], ["c", 25]], "SELECT"],
    ['[{"__proto__":1,"constructor":2}]', 1, [["__proto__", 23], ["constructor", 23]], "SELECT"],
  ]);
});

Deno.test("parameters of each kind reach PostgreSQL as what they are", async () => {
  const { url } = await deployed(`
    const one = async (sql: string, value: any) => (await ctx.db.query("select " + sql + " as v", [value])).rows[0].v;
    return Response.json({
      text: await one("$1::text", "o'clock; -- \\u00e9 \\u{1f600}"),
      nothing: [await one("$1::text", null), await one("$1::text", undefined)],
      int: await one("$1::int", 42),
      big: await one("$1::int8", 9223372036854775807n),
      float: await one("$1::float8", 1e-7),
      numeric: await one("$1::numeric", 0.1),
      bool: [await one("$1::bool", true), await one("$1::bool", false)],
      date: await one("$1::timestamptz", new Date(1709202896789)),
      day: await one("$1::date", new Date(Date.UTC(2024, 1, 29))),
      bytes: [...await one("$1::bytea", new Uint8Array([0, 39, 92, 255]))],
      buffer: [...await one("$1::bytea", new Uint8Array([1, 2]).buffer)],
      view: [...await one("$1::bytea", new Uint8Array([1, 2, 3, 4]).subarray(1, 3))],
      object: await one("$1::jsonb", { a: [1, "x", null], b: { c: true } }),
      list: await one("$1::int[]", [1, null, 3]),
      texts: await one("$1::text[]", ["a,b", 'c"d', "e\\\\f", "", "NULL", null, "{}"]),
      nested: await one("$1::int[]", [[1, 2], [3, 4]]),
      empty: await one("$1::text[]", []),
      objects: await one("$1::jsonb[]", [{ a: 1 }, { b: "\\"" }]),
      dates: await one("$1::timestamptz[]", [new Date(0)]),
      any: (await ctx.db.query("select n from generate_series(1, 5) n where n = any($1) order by n", [[2, 4]])).rows,
      limit: (await ctx.db.query("select n from generate_series(1, 5) n limit $1 offset $2", [2, 1])).rows,
    });`);
  assert.deepEqual(await call(url), {
    text: "o'clock; -- é 😀",
    nothing: [null, null],
    int: 42,
    big: "9223372036854775807",
    float: 1e-7,
    numeric: "0.1",
    bool: [true, false],
    date: "2024-02-29T10:34:56.789Z",
    day: "2024-02-29T00:00:00.000Z",
    bytes: [0, 39, 92, 255],
    buffer: [1, 2],
    view: [2, 3],
    object: { a: [1, "x", null], b: { c: true } },
    list: [1, null, 3],
    texts: ["a,b", 'c"d', "e\\f", "", "NULL", null, "{}"],
    nested: [[1, 2], [3, 4]],
    empty: [],
    objects: [{ a: 1 }, { b: '"' }],
    dates: ["1970-01-01T00:00:00.000Z"],
    any: [{ n: 2 }, { n: 4 }],
    limit: [{ n: 2 }, { n: 3 }],
  });
});

Deno.test("what cannot be a parameter or a statement is refused before it is sent", async () => {
  const { url } = await deployed(`
    const attempt = (...given: any[]) => ctx.db.query(...given).then(() => "ran", (error: any) => error.name + ": " + error.message);
    return Response.json([
      await attempt("select $1", [() => {}]),
      await attempt("select $1", [Symbol("s")]),
      await attempt("select $1::timestamptz", [new Date(NaN)]),
      await attempt("select $1", { a: 1 }),
      await attempt(42),
      await attempt("select 1\\0"),
      await attempt("select $1::text", ["\\0"]),
      await attempt("select $1::text", ["\\u0001".repeat(8_000_000)]),
      await attempt("select $1::text", ["x".repeat(40_000_000)]),
      await attempt("select 1"),
    ]);`);
  const seen = await call(url);
  const expected = [
    /^TypeError: A function cannot/,
    /^TypeError: A symbol cannot/,
    /^TypeError: An invalid Date/,
    /^TypeError: The second argument/,
    /^TypeError: The first argument/,
    /U\+0000|0x00/,
    /0x00|UTF8/,
    /^FrameError: A frame is \d+ bytes long/,
    /^QuotaExceededError: One call of ctx sends 10485760 characters at most/,
    /^ran$/,
  ];
  for (const [at, pattern] of expected.entries()) assert.match(seen[at], pattern);
});

Deno.test("an SQL error reaches the handler with PostgreSQL's words, and the line that asked", async () => {
  const { app, url } = await deployed(`
    await ctx.db.asService((db: any) => db.query("create table t (id int constraint only_one unique, n int not null)"));
    const fail = (sql: string) => ctx.db.asService((db: any) => db.query(sql)).then(() => "ran", (error: any) => error);
    await ctx.db.asService((db: any) => db.query("insert into t values (1, 1)"));
    const duplicate = await fail("insert into t values (1, 2)");
    const missing = await fail("insert into t values (2, null)");
    const syntax = await fail("selec 1");
    const raised = await fail("do $$ begin raise exception 'no such thing' using errcode = 'P0042', hint = 'try another', detail = 'it is gone'; end $$");
    if (req.method === "POST") throw syntax;
    return Response.json([duplicate, missing, syntax, raised].map((e: any) =>
      ({ isError: e instanceof Error, name: e.name, message: e.message, code: e.code, detail: e.detail, hint: e.hint,
        table: e.table, column: e.column, constraint: e.constraint, position: e.position, severity: e.severity })));`);
  const [duplicate, missing, syntax, raised] = await call(url);
  const none = { detail: null, hint: null, table: null, column: null, constraint: null, position: null };
  const all = { isError: true, name: "QueryError", severity: "ERROR" };
  assert.deepEqual(duplicate, {
    ...all,
    ...none,
    message: 'duplicate key value violates unique constraint "only_one"',
    code: "23505",
    detail: "Key (id)=(1) already exists.",
    table: "t",
    constraint: "only_one",
  });
  assert.deepEqual([missing.code, missing.column, missing.table], ["23502", "n", "t"]);
  assert.deepEqual([syntax.code, syntax.position], ["42601", 1]);
  assert.deepEqual([raised.code, raised.message, raised.hint, raised.detail], [
    "P0042",
    "no such thing",
    "try another",
    "it is gone",
  ]);
  await (await fetch(url, { method: "POST" })).text();
  const [row] = await p.logs(app, "probe", { count: 2 });
  assert.equal(row.statusCode, 500);
});

Deno.test("an SQL error that is not caught is logged with the developer's own line", async () => {
  const { app, url } = await deployed(`\n\n    await ctx.db.query("selec 1");`);
  assert.equal((await (await fetch(url)).json()).error.code, "FUNCTION_THREW");
  const [row] = await p.logs(app, "probe");
  assert.equal(row.error, 'syntax error at or near "selec"');
  assert.match(
    row.stack,
    /^QueryError: syntax error at or near "selec"\n(?:.*\n)*? {4}at .*handler.*probe\.ts:6:\d+/,
  );
});

Deno.test("a call that asks for too much of ctx at once is told so, and goes on", async () => {
  const { url } = await deployed(`
    const codes = async (calls: Promise<any>[]) => (await Promise.all(calls.map((made) => made.then(() => "ran", (error: any) => error.code))))
      .reduce((counts: any, code: string) => ({ ...counts, [code]: (counts[code] ?? 0) + 1 }), {});
    return Response.json([
      await codes([ctx.db.query("select repeat('x', 17 * 1024 * 1024)")]),
      await codes(Array.from({ length: 300 }, () => ctx.db.query("select 1"))),
      await codes(Array.from({ length: 10 }, () => ctx.db.asAnon((db: any) => db.query("select 1")))),
      await codes([ctx.db.query("select 1")]),
    ]);`);
  assert.deepEqual(await call(url), [
    { QUOTA_LIMIT_EXCEEDED: 1 },
    { ran: 256, QUOTA_LIMIT_EXCEEDED: 44 },
    { ran: 8, QUOTA_LIMIT_EXCEEDED: 2 },
    { ran: 1 },
  ]);
});

// ctx.idempotency.

Deno.test("a key is claimed once in its scope, also by many at once", async () => {
  const { app, url } = await deployed(`
    const { key, scope } = await req.json();
    return Response.json(await ctx.idempotency.claim(key, scope === undefined ? undefined : { scope }));`);
  const claim = (key: string, scope?: string, headers: Record<string, string> = {}) =>
    call(url, headers, { method: "POST", body: JSON.stringify({ key, scope }) });
  assert.deepEqual([await claim("k"), await claim("k"), await claim("k", "default")], [true, false, false]);
  assert.deepEqual([await claim("k", "stripe"), await claim("k", "stripe")], [true, false]);
  const user = bearer(await p.userToken(app, "user-1"));
  assert.deepEqual([await claim("k", "stripe", user), await claim("other", undefined, user)], [false, true]);
  const many = await Promise.all(Array.from({ length: 40 }, () => claim("race")));
  assert.equal(many.filter((won) => won === true).length, 1);
});

Deno.test("a claim is kept in _idempotency_keys, with its expiry, until it is deleted", async () => {
  const { url } = await deployed(`
    const service = (sql: string) => ctx.db.asService(async (db: any) => (await db.query(sql)).rows);
    const seen: any[] = [];
    seen.push(await ctx.idempotency.claim("short", { ttlSeconds: 1.9 }));
    seen.push(await ctx.idempotency.claim("none"));
    seen.push(await ctx.idempotency.claim("zero", { ttlSeconds: 0 }));
    seen.push(await ctx.idempotency.claim("day", { ttlSeconds: 86400, scope: "github" }));
    seen.push(await service("select scope, key, expires_at - processed_at as ttl from _idempotency_keys order by key"));
    await sleep(1300);
    seen.push(await ctx.idempotency.claim("short"));
    seen.push((await service("delete from _idempotency_keys where expires_at < now() returning key")));
    seen.push(await ctx.idempotency.claim("short"));
    seen.push(await ctx.db.query("select 1 from _idempotency_keys").catch((error: any) => error.code));
    return Response.json(seen);`);
  assert.deepEqual(await call(url), [
    true,
    true,
    true,
    true,
    [
      { scope: "github", key: "day", ttl: "1 day" },
      { scope: "default", key: "none", ttl: null },
      { scope: "default", key: "short", ttl: "00:00:01" },
      { scope: "default", key: "zero", ttl: null },
    ],
    false,
    [{ key: "short" }],
    true,
    "42501",
  ]);
});

Deno.test("a key that cannot be one is refused", async () => {
  const { url } = await deployed(`
    const attempt = (...given: any[]) => ctx.idempotency.claim(...given).then(String, (error: any) => error.name + ": " + error.message);
    return Response.json([
      await attempt("k".repeat(255)), await attempt("k".repeat(256)), await attempt(""), await attempt(undefined),
      await attempt(42), await attempt("k", { scope: 7 }), await attempt("\\0"), await attempt("é😀", { scope: "" }),
      await attempt("k", null),
    ]);`);
  const seen = await call(url);
  assert.equal(seen[0], "true");
  assert.match(seen[1], /^RangeError: .*255/);
  for (const at of [2, 3, 4, 5]) assert.match(seen[at], /^TypeError/);
  assert.match(seen[6], /0x00|UTF8/);
  assert.deepEqual(seen.slice(7), ["true", "true"]);
});

// ctx.invoke.

Deno.test("ctx.invoke passes method, headers and body on, and brings status, headers and bytes back", async () => {
  const { app, url } = await deployed(`
    const send = async (...given: any[]) => {
      const response = await ctx.invoke("inner", ...given);
      const type = response.headers.get("content-type");
      return [response instanceof Response, response.status, response.headers.get("x-inner"), type === "application/json" ? await response.json() : [...await response.bytes()]];
    };
    return Response.json([
      await send({ a: 1 }),
      await send("plain text"),
      await send(),
      await send(undefined, { method: "GET", headers: { "x-own": "1" } }),
      await send({ a: 1 }, { method: "put", headers: { authorization: "Bearer forged", "content-type": "text/plain", "x-user-id": "forged", "x-butterbase-caller-type": "forged", "x-butterbase-loop-depth": "0", cookie: "c=1" } }),
      await send(null),
      await send({ bytes: true }),
      await send({ status: 418 }),
    ]);`);
  await add(
    app,
    "inner",
    `const text = await req.text();
    const { bytes, status = 201 } = text.startsWith("{") ? JSON.parse(text) : {} as any;
    if (bytes) return new Response(new Uint8Array([0, 255, 128]));
    const headers = Object.fromEntries([...req.headers].filter(([name]) => !name.startsWith("x-app") && !name.startsWith("x-butterbase-caller-scope")));
    return Response.json({ method: req.method, path: new URL(req.url).pathname.split("/fn/")[1], text, headers }, { status, headers: { "x-inner": "yes" } });`,
    { triggers: [{ type: "cron", config: { schedule: "0 0 1 1 *" } }], trigger: undefined },
  );
  const headers = {
    "accept-encoding": "identity",
    "content-type": "application/json",
    "x-butterbase-caller-source-fn": "probe",
    "x-butterbase-caller-type": "loopback",
    "x-butterbase-loop-depth": "1",
    "x-user-id": "",
  };
  const inner = { method: "POST", path: "inner", headers };
  const seen = await call(url);
  assert.deepEqual(seen.slice(0, 6), [
    [true, 201, "yes", { ...inner, text: '{"a":1}' }],
    [true, 201, "yes", { ...inner, text: "plain text" }],
    [true, 201, "yes", { ...inner, text: "" }],
    [true, 201, "yes", { ...inner, method: "GET", text: "", headers: { ...headers, "x-own": "1" } }],
    [true, 201, "yes", { ...inner, method: "PUT", text: '{"a":1}', headers: { ...headers, cookie: "c=1" } }],
    [true, 201, "yes", { ...inner, text: "null" }],
  ]);
  assert.deepEqual(seen[6], [true, 200, null, [0, 255, 128]]);
  assert.equal(seen[7][1], 418);
});

Deno.test("ctx.invoke of a function that is missing, throws or is of another app tells so by a Response or a code", async () => {
  const other = await p.createApp();
  await add(other, "elsewhere", "return Response.json(1);");
  const { app, url } = await deployed(`
    const attempt = (name: any) => ctx.invoke(name).then(
      async (r: Response) => [r.status, (await r.json()).error?.code], (error: any) => [error.name, error.code ?? null]);
    return Response.json([
      await attempt("missing"), await attempt("elsewhere"), await attempt("../probe"), await attempt("\\0"), await attempt(7), await attempt("thrower"),
    ]);`);
  await add(app, "thrower", `throw new Error("inner secret");`);
  const seen = await call(url);
  for (const at of [0, 1, 2, 3]) assert.equal(seen[at][1], "RESOURCE_NOT_FOUND", JSON.stringify(seen));
  assert.deepEqual(seen[4], ["TypeError", null]);
  assert.equal(seen[5][1], "FUNCTION_THREW");
  const [row] = await p.logs(app, "thrower");
  assert.deepEqual([row.statusCode, row.error, row.triggerType, row.caller], [
    500,
    "inner secret",
    "invoke",
    "loopback",
  ]);
});

Deno.test("calls by ctx.invoke nest four deep, and no deeper", async () => {
  const { app, url } = await deployed(`
    const depth = Number(req.headers.get("x-butterbase-loop-depth") ?? 0);
    try {
      const inner = await ctx.invoke("probe");
      return Response.json([depth, ...await inner.json()]);
    } catch (error: any) {
      return Response.json([depth, error.code, error.message]);
    }`);
  const seen = await call(url, { "x-butterbase-loop-depth": "-100" });
  assert.deepEqual(seen.slice(0, 6), [0, 1, 2, 3, 4, "QUOTA_LIMIT_EXCEEDED"]);
  assert.match(seen[6], /4 deep/);
  assert.equal((await p.logs(app, "probe", { count: 5 })).length, 5);
});

Deno.test("a call that ctx.invoke made ends with the call that made it", async () => {
  const { app, url } = await deployed(`
    void ctx.invoke("slow").catch(() => {});
    const begun = async (db: any) => (await db.query("select 1 from _idempotency_keys")).rowCount;
    while (await ctx.db.asService(begun) === 0) await sleep(20);
    return Response.json("not waiting");`);
  await add(
    app,
    "slow",
    `await ctx.idempotency.claim("begun");
    if (!req.signal.aborted) await new Promise((resolve) => req.signal.addEventListener("abort", resolve));
    console.log("ended");
    return Response.json(1);`,
  );
  assert.equal(await call(url), "not waiting");
  const [row] = await p.logs(app, "slow");
  assert.deepEqual([row.statusCode, row.consoleLogs[0]?.message], [499, "ended"]);
});

// ctx.env and the other members.

Deno.test("ctx.env is the app's, under the function's, under the platform's", async () => {
  const { app, url } = await deployed(
    `return Response.json({ env: ctx.env, process: [Deno.env.get("OWN") ?? null, Deno.env.toObject()], frozen: Object.isFrozen(ctx.env) });`,
    { envVars: { OWN: "function", BOTH: "function" } },
  );
  await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { APP: "app", BOTH: "app", EMPTY: "" } } });
  const { env, process, frozen } = await call(url);
  const { body: config } = await p.json("GET", `/v1/${app}/config`);
  assert.deepEqual(
    { OWN: env.OWN, BOTH: env.BOTH, APP: env.APP, EMPTY: env.EMPTY },
    { OWN: "function", BOTH: "function", APP: "app", EMPTY: "" },
  );
  assert.deepEqual(
    Object.keys(env).filter((name) => name.startsWith("BUTTERBASE_")).sort(),
    [
      "BUTTERBASE_ANON_KEY",
      "BUTTERBASE_API_URL",
      "BUTTERBASE_APP_ID",
      "BUTTERBASE_APP_NAME",
      "BUTTERBASE_REGION",
      "BUTTERBASE_SUBDOMAIN",
    ],
  );
  assert.deepEqual([env.BUTTERBASE_APP_ID, env.BUTTERBASE_API_URL], [app, p.origin]);
  assert.equal(env.BUTTERBASE_APP_NAME, config.name);
  assert.deepEqual(process, [null, {}]);
  assert.equal(frozen, true);
  for (const path of [`/v1/${app}/env`, `/v1/${app}/functions/probe/env`]) {
    const { status } = await p.json("PATCH", path, { body: { envVars: { BUTTERBASE_APP_ID: "x" } } });
    assert.equal(status, 400);
  }
});

Deno.test("a change of env is there on the next call, in the same isolate", async () => {
  const { app, url } = await deployed(`
    state.calls = (state.calls ?? 0) + 1;
    try { ctx.app.name = "changed"; } catch { /* frozen */ }
    return Response.json([ctx.env.LEVEL ?? null, ctx.env.APP ?? null, state.calls, ctx.app.name === ctx.env.BUTTERBASE_APP_NAME]);`);
  assert.deepEqual(await call(url), [null, null, 1, true]);
  for (let n = 1; n <= 5; n++) {
    await p.json("PATCH", `/v1/${app}/functions/probe/env`, { body: { envVars: { LEVEL: String(n) } } });
    assert.deepEqual((await call(url)).slice(0, 2), [String(n), null]);
  }
  await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { APP: "a" } } });
  assert.deepEqual(await call(url), ["5", "a", 7, true]);
  await p.json("PATCH", `/v1/${app}/functions/probe/env`, { body: { envVars: { LEVEL: null } } });
  assert.deepEqual(await call(url), [null, "a", 8, true]);
  assert.deepEqual(await call(url), [null, "a", 9, true]);
});

Deno.test("ctx.app, ctx.request and ctx.trigger have the contract's fields", async () => {
  const { app, url } = await deployed(
    `return Response.json({ app: ctx.app, request: ctx.request, trigger: ctx.trigger, members: Object.keys(ctx).sort() });`,
  );
  const response = await fetch(url, { headers: { "x-forwarded-for": "6.6.6.6", "cf-ipcountry": "DE" } });
  const seen = await response.json();
  assert.deepEqual(seen.members, [
    "app",
    "caller",
    "db",
    "env",
    "idempotency",
    "invoke",
    "request",
    "trigger",
    "user",
    "waitUntil",
  ]);
  assert.equal(seen.app.id, app);
  assert.deepEqual(Object.keys(seen.app).sort(), [
    "ai",
    "allowedOrigins",
    "anonKey",
    "auth",
    "billing",
    "frontend",
    "id",
    "name",
    "ownerId",
    "region",
    "subdomain",
    "substrateOrganizationId",
  ]);
  assert.deepEqual(Object.keys(seen.app.auth).sort(), [
    "accessTokenTtl",
    "hookFunction",
    "refreshTokenTtlDays",
  ]);
  assert.ok(Array.isArray(seen.app.allowedOrigins));
  assert.match(seen.app.ownerId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(seen.request, {
    id: response.headers.get("x-request-id"),
    ip: "127.0.0.1",
    country: null,
    functionName: "probe",
  });
  const { time, ...trigger } = seen.trigger;
  assert.deepEqual(trigger, { type: "http", id: null, attempt: 1, config: {} });
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
});

Deno.test("the test endpoint runs as the platform key does", async () => {
  const app = await p.createApp();
  await add(app, "probe", who.replace("...row", "...row, trigger: ctx.trigger.type, method: req.method"), {
    auth: "required",
  });
  const test = async (headers: Record<string, string> = {}) =>
    (await p.json("POST", `/v1/${app}/functions/probe/invoke`, { headers, body: {} })).body;
  const seen = await test();
  assert.deepEqual(
    [seen.user, seen.caller.type, seen.role, seen.trigger, seen.method],
    [null, "service_key", "butterbase_service", "test", "POST"],
  );
  const as = await test({ "x-butterbase-as-user": "user-7" });
  assert.deepEqual([as.user.id, as.caller.userId, as.role, as.uid], [
    "user-7",
    "user-7",
    "butterbase_user",
    "user-7",
  ]);
});

// ctx.waitUntil.

Deno.test("waitUntil goes on after the answer, with ctx.db, and all promises run whatever becomes of one", async () => {
  const { app, url } = await deployed(`
    const service = (sql: string) => ctx.db.asService(async (db: any) => (await db.query(sql)).rows);
    if (req.method === "POST") return Response.json((await service("select word from words order by word")).map((row: any) => row.word));
    await service("create table words (word text)");
    ctx.waitUntil(Promise.reject(new Error("swallowed")));
    ctx.waitUntil((async () => { await sleep(400); await service("insert into words values ('slow')"); })());
    ctx.waitUntil((async () => { await sleep(100); throw new Error("swallowed too"); })());
    ctx.waitUntil((async () => {
      await sleep(50);
      await ctx.db.query("select 1");
      ctx.waitUntil((async () => { await sleep(500); await service("insert into words values ('added later')"); })());
    })());
    ctx.waitUntil("not a promise");
    ctx.waitUntil({ then(resolve: any) { service("insert into words values ('thenable')").then(resolve); } });
    return Response.json("answered");`);
  assert.equal(await call(url), "answered");
  const [row] = await p.logs(app, "probe");
  assert.deepEqual([row.statusCode, row.error], [200, null]);
  assert.deepEqual(await call(url, {}, { method: "POST" }), ["added later", "slow", "thenable"]);
});

Deno.test("the answer does not wait for waitUntil, and counts as the call's duration alone", async () => {
  const { app, url } = await deployed(`
    ctx.waitUntil(sleep(3000).then(() => console.log("background over")));
    return Response.json("at once");`);
  const began = performance.now();
  assert.equal(await call(url), "at once");
  assert.ok(performance.now() - began < 2500);
  const [row] = await p.logs(app, "probe");
  assert.ok(row.duration < 2500);
  assert.equal(row.consoleLogs[0].message, "background over");
});

Deno.test("a handler that throws loses its background work", async () => {
  const { app, url } = await deployed(`
    if (req.method === "POST") return Response.json(state);
    ctx.waitUntil(sleep(300).then(() => ctx.db.query("select 1")).then(() => { state.ran = true; }, (error: any) => { state.error = error.message; }));
    throw new Error("no answer");`);
  assert.equal((await fetch(url).then((response) => response.json())).error.code, "FUNCTION_THREW");
  const [row] = await p.logs(app, "probe");
  assert.equal(row.statusCode, 500);
  await new Promise((resolve) => setTimeout(resolve, 600));
  const seen = await call(url, {}, { method: "POST" });
  assert.equal(seen.ran, undefined);
  assert.match(seen.error, /has ended/);
});

Deno.test("background work is stopped 30 seconds after the answer, and the log says so", async () => {
  const { app, url, answeredAt } = outlasting;
  const left = 33_000 - (performance.now() - answeredAt);
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  const [row] = await p.logs(app, "probe");
  assert.equal(row.statusCode, 200);
  assert.match(row.error, /Stopped after its answer: deadline/);
  assert.deepEqual(row.consoleLogs.map(({ message }: { message: string }) => message), ["answered"]);
  assert.deepEqual(await call(url, bearer(ownerKey), { method: "POST" }), []);
});
