// REST over an app's tables: who sees and changes what, with every credential against every verb, and what a refusal
// tells.

import assert from "node:assert/strict";
import { type DataApp, type DataWorld, dataWorld } from "./harness/data.ts";

let w: DataWorld;
Deno.test.beforeAll(async () => {
  w = await dataWorld();
});
Deno.test.afterAll(async () => {
  await w[Symbol.asyncDispose]();
});

const alice = "11111111-1111-4111-8111-111111111111";
const bob = "22222222-2222-4222-8222-222222222222";

/** A closed table, one opened on purpose, and notes that their owners keep, of which some are public. */
const tables = `
  create table closed (id int primary key, t text); insert into closed values (1, 'hidden');
  create table opened (id int primary key, t text); insert into opened values (1, 'seen');
  select butterbase.set_table_open('opened', true);
  create table notes (id serial primary key, owner uuid default current_user_id()::uuid, t text,
    public boolean not null default false, code text unique);
  alter table notes enable row level security;
  create policy own on notes to butterbase_user
    using (owner = current_user_id()::uuid) with check (owner = current_user_id()::uuid);
  create policy published on notes for select to butterbase_anon using (public);
  insert into notes (owner, t, public, code) values
    ('${alice}', 'a secret', false, 'A'), ('${alice}', 'a public', true, 'B'), ('${bob}', 'b secret', false, 'C')`;

const bearer = (token: string) => ({ key: null, headers: { authorization: `Bearer ${token}` } });
const asUser = async (app: DataApp, id: string) => bearer(await app.userToken(id));

async function statusAndCode(app: DataApp, method: string, path: string, options: object) {
  const { status, body } = await app.json(method, path, options);
  return [status, body?.error?.code ?? null];
}

/** Every verb on a table, as method, path and body. */
const verbs = (table: string): [string, string, object][] => [
  ["GET", table, {}],
  ["GET", `${table}/1`, {}],
  ["HEAD", table, {}],
  ["POST", table, { body: { id: 50, t: "mine" } }],
  ["PATCH", `${table}/1`, { body: { t: "changed" } }],
  ["PATCH", `${table}?t=neq.x`, { body: { t: "changed" } }],
  ["DELETE", `${table}/1`, {}],
  ["DELETE", `${table}?t=neq.x`, {}],
];

Deno.test("a credential that is no good is refused on every verb, and nothing is read or done", async () => {
  const app = await w.app(tables);
  const other = await w.app("create table opened (id int primary key)");
  const [stranger, developer] = [await w.usual.addAccount(), await w.usual.addAccount()];
  const foreignApp = await w.usual.createApp({ key: developer });
  const foreignKey = (await w.usual.json("POST", "/api-keys", {
    key: developer,
    body: { name: "x", key_scope: "app", target_app_id: foreignApp },
  })).body.key;
  const good = await app.userToken(alice);
  const [head, , signature] = good.split(".");
  const payload = btoa(JSON.stringify({ sub: alice, iss: `butterbase:app:${app.id}`, exp: 4_000_000_000 }));
  const none = btoa(JSON.stringify({ alg: "none" }));
  const refusals: [string, number, string][] = [
    [stranger, 404, "RESOURCE_NOT_FOUND"],
    [foreignKey, 404, "RESOURCE_NOT_FOUND"],
    [`bb_sk_${"f".repeat(40)}`, 401, "AUTH_INVALID_API_KEY"],
    ["nonsense", 401, "AUTH_INVALID_TOKEN"],
    [await other.userToken(alice), 401, "AUTH_INVALID_END_USER_JWT"],
    [`${head}.${payload}.${signature}`.replaceAll("=", ""), 401, "AUTH_INVALID_END_USER_JWT"],
    [`${none}.${payload}.`.replaceAll("=", ""), 401, "AUTH_INVALID_END_USER_JWT"],
    [await w.usual.userToken(app.id, alice, {}, -10), 401, "AUTH_END_USER_JWT_EXPIRED"],
  ];
  for (const [token, status, code] of refusals) {
    for (const table of ["opened", "closed", "notes", "nope"]) {
      for (const [method, path, options] of verbs(table)) {
        const answer = await app.request(method, path, { ...bearer(token), ...options });
        const text = await answer.text();
        assert.equal(answer.status, status, `${code} ${method} ${path}`);
        if (method !== "HEAD") assert.equal(JSON.parse(text).error.code, code, `${method} ${path}`);
      }
    }
  }
  assert.deepEqual((await app.json("GET", "opened")).body, [{ id: 1, t: "seen" }]);
  assert.equal((await app.json("GET", "notes")).body.length, 3);
});

Deno.test("a table without row-level security is closed to users and anonymous callers on every verb", async () => {
  const app = await w.app(tables);
  const anonKey = (await w.usual.json("GET", `/v1/${app.id}/config`)).body.anon_key;
  for (const caller of [await asUser(app, alice), { key: null }, bearer(anonKey)]) {
    for (const [method, path, options] of verbs("closed")) {
      const answer = await app.request(method, path, { ...caller, ...options });
      const text = await answer.text();
      assert.equal(answer.status, 403, `${method} ${path}`);
      if (method === "HEAD") continue;
      const { code, remediation } = JSON.parse(text).error;
      assert.equal(code, "RLS_NOT_ENABLED");
      assert.match(remediation, /policy.*asService.*"rls": false/s);
    }
  }
  assert.deepEqual((await app.json("GET", "closed")).body, [{ id: 1, t: "hidden" }]);
  const platform = await app.json("GET", "_platform_like");
  assert.equal(platform.status, 404);
});

Deno.test("a table that was opened on purpose takes every verb from everybody", async () => {
  for (const who of ["user", "anonymous", "service"]) {
    const app = await w.app(tables);
    const caller = who === "user" ? await asUser(app, bob) : who === "anonymous" ? { key: null } : {};
    for (const [method, path, options] of verbs("opened")) {
      const answer = await app.request(method, path, { ...caller, ...options });
      await answer.body?.cancel();
      assert.ok(answer.ok, `${who} ${method} ${path}`);
    }
  }
});

Deno.test("users see and change their own rows and no other's, whatever they send", async () => {
  const app = await w.app(tables);
  const [a, b] = [await asUser(app, alice), await asUser(app, bob)];
  const texts = async (caller: object, query = "") =>
    (await app.json("GET", `notes?order=id${query}`, caller)).body.map(({ t }: { t: string }) => t);
  assert.deepEqual(await texts(a), ["a secret", "a public"]);
  assert.deepEqual(await texts(b), ["b secret"]);
  assert.deepEqual(await texts(b, `&or=(owner.eq.${alice},owner.not.is.null)`), ["b secret"]);
  assert.deepEqual(await texts({ key: null }), ["a public"]);
  assert.deepEqual(await texts({}), ["a secret", "a public", "b secret"]);
  const counted = await app.request("GET", "notes?limit=1", {
    ...b,
    headers: { ...b.headers, prefer: "count=exact" },
  });
  assert.equal(counted.headers.get("content-range"), "0-0/1");
  await counted.body?.cancel();

  const notFound = [404, "RESOURCE_NOT_FOUND"];
  const denied = [403, "AUTH_RLS_POLICY_VIOLATION"];
  assert.deepEqual(await statusAndCode(app, "GET", "notes/1", b), notFound);
  assert.deepEqual(await statusAndCode(app, "PATCH", "notes/1", { ...b, body: { t: "mine" } }), notFound);
  assert.deepEqual(await statusAndCode(app, "DELETE", "notes/1", b), notFound);
  assert.deepEqual((await app.json("DELETE", "notes?id=gt.0", { key: null })).body, { deleted: 0 });
  assert.deepEqual((await app.json("PATCH", "notes?id=gt.0", { key: null, body: { t: "x" } })).body, []);
  assert.deepEqual(
    await statusAndCode(app, "POST", "notes", { ...b, body: { owner: alice, t: "planted" } }),
    denied,
  );
  assert.deepEqual(await statusAndCode(app, "PATCH", "notes/3", { ...b, body: { owner: alice } }), denied);
  assert.deepEqual(
    await statusAndCode(app, "POST", "notes", { key: null, body: { t: "anonymous" } }),
    denied,
  );
  const merge = { prefer: "resolution=merge-duplicates" };
  const taking = { ...b, headers: { ...b.headers, ...merge }, body: { id: 1, t: "taken" } };
  assert.deepEqual(await statusAndCode(app, "POST", "notes", taking), denied);
  const forged = { ...b.headers, "x-butterbase-as-role": "user", "x-butterbase-as-user": alice };
  assert.deepEqual(await texts({ key: null, headers: forged }), ["b secret"]);
  assert.deepEqual(
    await texts({ key: null, headers: { "x-butterbase-as-role": "service", "x-butterbase-as-user": alice } }),
    ["a public"],
  );
  assert.equal((await app.json("POST", "notes", { ...b, body: { t: "new" } })).body.owner, bob);
  assert.deepEqual(await texts({}), ["a secret", "a public", "b secret", "new"]);
});

Deno.test("a platform key looks at the data as an anonymous caller or a user when it says so", async () => {
  const app = await w.app(tables);
  const rows = async (headers: Record<string, string>) => {
    const { status, body } = await app.json("GET", "notes", { headers });
    return status === 200 ? body.length : [status, body.error.code];
  };
  assert.equal(await rows({}), 3);
  assert.equal(await rows({ "x-butterbase-as-role": "anon" }), 1);
  assert.equal(await rows({ "x-butterbase-as-role": "user", "x-butterbase-as-user": alice }), 2);
  assert.equal(await rows({ "x-butterbase-as-user": alice }), 3);
  assert.deepEqual(await rows({ "x-butterbase-as-role": "user" }), [400, "REQUEST_ERROR"]);
  assert.deepEqual(await rows({ "x-butterbase-as-role": "admin" }), [400, "REQUEST_ERROR"]);
});

Deno.test("access mode `authenticated` turns anonymous callers away, and nobody else", async () => {
  const app = await w.app(tables);
  const mode = (access_mode: string) =>
    w.usual.json("PATCH", `/v1/${app.id}/config/access-mode`, { body: { access_mode } });
  assert.equal((await mode("authenticated")).status, 200);
  const anonKey = (await w.usual.json("GET", `/v1/${app.id}/config`)).body.anon_key;
  for (const caller of [{ key: null }, bearer(anonKey)]) {
    for (const path of ["opened", "opened/1", "notes", "closed", "nope"]) {
      assert.deepEqual(await statusAndCode(app, "GET", path, caller), [401, "AUTH_REQUIRED"], path);
    }
  }
  assert.equal((await app.json("GET", "notes", await asUser(app, alice))).status, 200);
  assert.equal((await app.json("GET", "notes", { headers: { "x-butterbase-as-role": "anon" } })).status, 200);
  await mode("public");
  assert.equal((await app.json("GET", "opened", { key: null })).status, 200);
});

Deno.test("a paused app answers 503 on every verb, and an unknown one 404", async () => {
  const app = await w.app(tables);
  await w.usual.json("PATCH", `/v1/${app.id}/config/pause`, { body: { paused: true, reason: "spam" } });
  for (const [method, path, options] of verbs("opened")) {
    const answer = await app.request(method, path, options);
    const text = await answer.text();
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "60"], `${method} ${path}`);
    if (method === "HEAD") continue;
    const { code, details } = JSON.parse(text).error;
    assert.deepEqual([code, details], ["APP_PAUSED", { paused_reason: "spam" }]);
  }
  assert.equal((await w.usual.json("GET", `/v1/${app.id}/schema`)).status, 200);
  for (const id of ["app_000000000000", "x", "%00", "regions"]) {
    const { status, body } = await w.usual.json("GET", `/v1/${id}/opened`);
    assert.deepEqual([status, body.error.code], [404, "RESOURCE_NOT_FOUND"], id);
  }
});

Deno.test("each violated constraint has its code, and tells its names and what the caller sent", async () => {
  const app = await w.app(`create table p (id int primary key);
    create table c (id int primary key, p int references p, n int not null default 1, q int check (q > 0), u text unique)`);
  await app.json("POST", "c", { body: { id: 1, u: "taken" } });
  const cases: [object, string, object][] = [
    [{ id: 2, u: "taken" }, "VALIDATION_UNIQUE_CONSTRAINT_VIOLATION", {
      constraint_details: "Key (u)=(taken) already exists.",
      constraint: "c_u_key",
      column: "u",
      table: "c",
    }],
    [{ id: 2, p: 7 }, "VALIDATION_FOREIGN_KEY_VIOLATION", {
      constraint_details: 'Key (p)=(7) is not present in table "p".',
      constraint: "c_p_fkey",
      column: "p",
      table: "c",
    }],
    [{ id: 2, q: 0 }, "VALIDATION_CHECK_CONSTRAINT_VIOLATION", {
      constraint_details: "Failing row contains (2, null, 1, 0, null).",
      constraint: "c_q_check",
      table: "c",
    }],
    [{ id: 2, n: null }, "VALIDATION_NOT_NULL_VIOLATION", {
      constraint_details: "Failing row contains (2, null, null, null, null).",
      column: "n",
      table: "c",
    }],
  ];
  for (const [body, code, details] of cases) {
    const answer = await app.json("POST", "c", { body });
    assert.deepEqual([answer.status, answer.body.error.code], [400, code]);
    assert.deepEqual(answer.body.error.details, details);
  }
});

Deno.test("no refusal tells an end user a value of a row that is hidden from him", async () => {
  const app = await w.app(`${tables};
    create table casts (id int primary key, owner text); insert into casts values (1, 'hidden-value');
    alter table casts enable row level security;
    create policy p on casts using (owner::uuid = current_user_id()::uuid);
    create table two (id int primary key, a text, b text default 'hidden-value', unique (a, b));
    select butterbase.set_table_open('two', true); insert into two (id, a) values (1, 'x')`);
  const b = await asUser(app, bob);
  const asked: [string, string, object][] = [
    ["GET", "casts", {}],
    ["GET", "casts/1", {}],
    ["PATCH", "casts/1", { body: { id: 2 } }],
    ["POST", "notes", { body: { t: "x", code: "A" } }],
    ["PATCH", "notes/3", { body: { code: "A" } }],
    ["POST", "two", { body: { id: 2, a: "x" } }],
  ];
  for (const [method, path, options] of asked) {
    const { status, body } = await app.json(method, path, { ...b, ...options });
    assert.equal(status, 400, `${method} ${path}`);
    const told = JSON.stringify(body);
    assert.ok(!told.includes("hidden-value") && !told.includes("secret") && !told.includes(alice), told);
  }
  const service = await app.json("POST", "two", { body: { id: 2, a: "x" } });
  assert.match(service.body.error.details.constraint_details, /hidden-value/);
});

Deno.test("policies that recurse, want a user, or hide what was written are refusals with names, never a 500", async () => {
  const app = await w.app(`
    create table loops (id int primary key); alter table loops enable row level security;
    create policy p on loops using (exists (select from loops l where l.id = loops.id));
    create table dropbox (id serial primary key, t text); alter table dropbox enable row level security;
    create policy p on dropbox for insert with check (true);
    create table raises (id int primary key); select butterbase.set_table_open('raises', true);
    create function refuse() returns trigger language plpgsql as $$ begin
      if new.id = 1 then raise exception 'The developer says no'; end if;
      if new.id = 2 then raise exception 'current_user_id() is empty' using errcode = '42501'; end if;
      if new.id = 3 then raise exception 'odd' using errcode = 'ZZ999'; end if;
      perform 1 / 0; return new; end $$;
    create trigger t before insert on raises for each row execute function refuse()`);
  const anonymous = { key: null };
  assert.deepEqual(await statusAndCode(app, "GET", "loops", anonymous), [400, "RLS_INVALID_EXPRESSION"]);
  assert.deepEqual(await statusAndCode(app, "POST", "dropbox", { ...anonymous, body: { t: "x" } }), [
    403,
    "AUTH_RLS_POLICY_VIOLATION",
  ]);
  const minimal = { key: null, headers: { prefer: "return=minimal" }, body: { t: "x" } };
  assert.equal((await app.json("POST", "dropbox", minimal)).status, 201);
  const raised = await app.json("POST", "raises", { ...anonymous, body: { id: 1 } });
  assert.equal(raised.status, 400);
  assert.match(raised.body.error.message, /The developer says no/);
  for (
    const [id, status, code] of [
      [2, 403, "AUTH_RLS_REQUIRES_USER_JWT"],
      [3, 400, "VALIDATION_INVALID_INPUT"],
      [4, 400, "VALIDATION_INVALID_INPUT"],
    ]
  ) {
    assert.deepEqual(await statusAndCode(app, "POST", "raises", { ...anonymous, body: { id } }), [
      status,
      code,
    ]);
  }
});

Deno.test("SQL in any part of a request is a name that does not exist or a value like others", async () => {
  const app = await w.app(
    `${tables}; create table victim (id int primary key, t text); insert into victim values (1, 'x')`,
  );
  const attacks = [
    "'; drop table victim; --",
    '"; drop table victim; --',
    "1; delete from victim",
    "1) or (1=1",
    "1' or '1'='1",
    '"t" or true) --',
    "$1",
    "$$; drop table victim; $$",
    "\\'; drop table victim; --",
    "pg_sleep(10)",
    "t::text; select pg_sleep(10)",
    "current_user_id()",
  ];
  for (const attack of attacks) {
    const at = encodeURIComponent(attack);
    const requests: [string, string, object][] = [
      ["GET", at, {}],
      ["GET", `victim/${at}`, {}],
      ["GET", `victim?${at}=eq.1`, {}],
      ["GET", `victim?t=eq.${at}`, {}],
      ["GET", `victim?t=${at}.1`, {}],
      ["GET", `victim?t=in.(${at})`, {}],
      ["GET", `victim?or=(t.eq.${at},id.eq.${at})`, {}],
      ["GET", `victim?select=${at}&order=${at}&limit=${at}&offset=${at}`, {}],
      ["POST", "victim", { body: { [attack]: attack } }],
      ["POST", "victim", { body: { id: attack, t: attack } }],
      ["POST", `victim?on_conflict=${at}`, {
        body: { id: 1 },
        headers: { prefer: "resolution=merge-duplicates" },
      }],
      ["PATCH", `victim?t=eq.${at}`, { body: { t: attack } }],
      ["DELETE", `victim?t=eq.${at}`, {}],
      ["GET", "victim", {
        headers: { prefer: attack, "x-butterbase-as-role": "user", "x-butterbase-as-user": attack },
      }],
    ];
    for (const [method, path, options] of requests) {
      const answer = await app.request(method, path, options);
      await answer.body?.cancel();
      assert.ok(answer.status < 500, `${answer.status} ${method} ${path}`);
    }
  }
  assert.deepEqual((await app.json("GET", "victim")).body, [{ id: 1, t: "x" }]);
  assert.equal((await app.json("GET", "notes")).body.length, 3);
});
