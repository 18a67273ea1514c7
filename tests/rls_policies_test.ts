// Policies over HTTP: what is refused and why, what is replaced, what their writer is warned of, and who may do it.

import assert from "node:assert/strict";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { createSqlApp, type SqlApp } from "./harness/sql_function.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const rls = (app: SqlApp, method: string, path = "/policies", body: object | null = null) =>
  p.json(method, `/v1/${app.id}/rls${path}`, { body });

// deno-lint-ignore no-explicit-any -- policies as the route shows them.
const policies = async (app: SqlApp): Promise<any[]> => (await rls(app, "GET", "")).body.policies;

async function openNotes(): Promise<SqlApp> {
  const app = await createSqlApp(p);
  await app.run(`create table notes (id uuid primary key default gen_random_uuid(), owner text, body text);
    insert into notes (owner, body) values ('ada', 'of ada'), ('bob', 'of bob')`);
  return app;
}

const policy = { table_name: "notes", policy_name: "own", using_expression: "owner = current_user_id()" };

Deno.test("POST /rls/policies enables row-level security and replaces a policy of the same name; service passes without a bypass", async () => {
  const app = await openNotes();
  const { status, body } = await rls(app, "POST", "/policies", policy);
  assert.deepEqual([status, body], [200, { success: true, policy_name: "own", table: "notes" }]);
  const select = "select body from notes order by body";
  assert.deepEqual((await app.as(await app.user("ada"), select)).rows, [{ body: "of ada" }]);
  assert.deepEqual((await app.as(null, select)).rows, []);
  assert.equal((await app.as(ownerKey, select)).rows.length, 2);
  await rls(app, "POST", "/policies", { ...policy, role: "anon", using_expression: "true" });
  assert.deepEqual((await app.as(await app.user("ada"), select)).rows, []);
  assert.equal((await app.as(null, select)).rows.length, 2);
  assert.deepEqual((await policies(app)).map(({ policyname, cmd, roles }) => [policyname, cmd, roles]), [
    ["own", "ALL", ["butterbase_anon"]],
  ]);
});

const hostile = "true); drop table notes; --";
const refused: [object, string, RegExp?][] = [
  [{ table_name: undefined }, "VALIDATION_INVALID_SCHEMA", /table_name/],
  [{ policy_name: undefined }, "VALIDATION_INVALID_SCHEMA", /policy_name/],
  [{ policy_name: 'own" on notes; --' }, "VALIDATION_INVALID_SCHEMA", /policy_name/],
  [{ policy_name: "p".repeat(64) }, "VALIDATION_INVALID_SCHEMA", /63/],
  [{ command: "TRUNCATE" }, "VALIDATION_INVALID_SCHEMA", /SELECT, INSERT, UPDATE, DELETE, ALL/],
  [{ role: "service" }, "VALIDATION_INVALID_SCHEMA", /anon or user/],
  [{ role: "butterbase_user, butterbase_anon" }, "VALIDATION_INVALID_SCHEMA", /role/],
  [{ restrictive: "yes" }, "VALIDATION_INVALID_SCHEMA", /restrictive/],
  [{ using_expression: undefined }, "VALIDATION_INVALID_SCHEMA", /with_check_expression/],
  [{ using_expression: " \n" }, "VALIDATION_INVALID_SCHEMA", /using_expression/],
  [{ using_expression: ["true"] }, "VALIDATION_INVALID_SCHEMA", /using_expression/],
  [{ table_name: "_notes" }, "VALIDATION_RESERVED_TABLE"],
  [{ table_name: "other" }, "VALIDATION_TABLE_NOT_FOUND"],
  [{ table_name: "pg_class" }, "VALIDATION_TABLE_NOT_FOUND"],
  [{ table_name: `notes" ${hostile}` }, "VALIDATION_TABLE_NOT_FOUND"],
  [{ user_column: "no" }, "VALIDATION_COLUMN_NOT_FOUND", /"no"/],
  [{ user_column: `body') ${hostile}` }, "VALIDATION_COLUMN_NOT_FOUND"],
  [
    { using_expression: "set_config('request.jwt.claim.sub', 'bob', true) = ''" },
    "RLS_UNSAFE_EXPRESSION",
    /set_config/,
  ],
  [{ using_expression: "pg_catalog.SET_CONFIG('a', 'b', true) = ''" }, "RLS_UNSAFE_EXPRESSION"],
  [{ using_expression: `"set_config"/**/('a', 'b', true) = ''` }, "RLS_UNSAFE_EXPRESSION"],
  [{ using_expression: `U&"\\0073et_config"('a', 'b', true) = ''` }, "RLS_UNSAFE_EXPRESSION"],
  [{ using_expression: "exists (select 1 where (select dblink('x')) = '')" }, "RLS_UNSAFE_EXPRESSION"],
  [
    { with_check_expression: "pg_read_file('/etc/passwd') = ''" },
    "RLS_UNSAFE_EXPRESSION",
    /with_check_expression/,
  ],
  [{ using_expression: "id = current_user_id()" }, "RLS_TYPE_MISMATCH", /uuid = text/],
  [{ using_expression: "no_such_function(owner)" }, "RLS_TYPE_MISMATCH"],
  [{ using_expression: "no_such_column = 1" }, "RLS_INVALID_EXPRESSION", /no_such_column/],
  [{ using_expression: "owner" }, "RLS_INVALID_EXPRESSION", /boolean/],
  [{ using_expression: "id = 'not-a-uuid'" }, "RLS_INVALID_EXPRESSION", /not-a-uuid/],
  [{ using_expression: "count(*) > 0" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "owner = $1" }, "RLS_INVALID_EXPRESSION"],
  [{ command: "INSERT" }, "RLS_INVALID_EXPRESSION", /WITH CHECK/],
  [{ command: "SELECT", with_check_expression: "true" }, "RLS_INVALID_EXPRESSION"],
  [
    { command: "DELETE", using_expression: undefined, with_check_expression: "true" },
    "RLS_INVALID_EXPRESSION",
  ],
  [{ using_expression: hostile }, "RLS_INVALID_EXPRESSION", /using_expression/],
  [{ using_expression: "true) with check (true" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "true; drop table notes" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "true, true" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "true /* open" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "$a$ open" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "'open" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "E'\\'); drop table notes; --'" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "((true)" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "true --\n) with check (true" }, "RLS_INVALID_EXPRESSION"],
  [{ using_expression: "(".repeat(10_001) }, "RLS_INVALID_EXPRESSION", /10000/],
];

Deno.test("POST /rls/policies refuses each thing that is wrong by its own code, and then changes nothing", async () => {
  const app = await openNotes();
  for (const [change, code, says] of refused) {
    const { status, body } = await rls(app, "POST", "/policies", { ...policy, ...change });
    assert.deepEqual(
      [status, body.error.code],
      [400, code],
      `${JSON.stringify(change).slice(0, 200)}: ${JSON.stringify(body)}`,
    );
    if (says !== undefined) assert.match(body.error.message, says);
    assert.notEqual(body.error.remediation, "");
  }
  for (const raw of ["", "null", "[]", '"x"', "{", '{"__proto__": 1}', '{"table_name": "a\\u0000"}']) {
    const { status } = await p.json("POST", `/v1/${app.id}/rls/policies`, {
      body: new TextEncoder().encode(raw),
    });
    assert.equal(status, 400, raw);
  }
  assert.deepEqual((await rls(app, "GET", "")).body, { policies: [], tables_with_rls: [] });
  assert.equal((await app.run("select * from notes")).length, 2);
});

Deno.test("expressions keep every character of their texts, comments and quotes", async () => {
  const app = await openNotes();
  const texts = ["a  b", "it''s; --", "tab\there", "süß ☃ 𝄞", ")("];
  for (const text of texts) {
    for (
      const using_expression of [
        `body <> '${text}'`,
        `body <> '${text}' -- end`,
        `/* ; ) */ body <> '${text}'`,
      ]
    ) {
      const { status, body } = await rls(app, "POST", "/policies", { ...policy, using_expression });
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal((await policies(app))[0].qual, `(body <> '${text}'::text)`);
    }
  }
  for (const using_expression of ["body <> $q$a ) ; b$q$", "body <> U&'\\0041'", "body <> E'a\\'); b'"]) {
    assert.equal((await rls(app, "POST", "/policies", { ...policy, using_expression })).status, 200);
  }
});

Deno.test("PATCH puts a whole policy in the place of one; when PostgreSQL refuses it, the former one stays", async () => {
  const app = await openNotes();
  await rls(app, "POST", "/policies", { ...policy, role: "user", restrictive: true, command: "DELETE" });
  const [former] = await policies(app);
  for (const using_expression of ["owner = 1", "owner", "true)"]) {
    const { status } = await rls(app, "PATCH", "/policies/own", { table_name: "notes", using_expression });
    assert.equal(status, 400);
    assert.deepEqual(await policies(app), [former]);
  }
  const { status, body } = await rls(app, "PATCH", "/policies/own", {
    table_name: "notes",
    using_expression: "true",
  });
  assert.deepEqual([status, body], [200, { success: true, policy_name: "own", table: "notes" }]);
  const [{ permissive, roles, cmd, qual, with_check }] = await policies(app);
  assert.deepEqual([permissive, roles, cmd, qual, with_check], [
    "PERMISSIVE",
    ["public"],
    "ALL",
    "true",
    null,
  ]);
  for (const [path, table_name] of [["no", "notes"], ["own", "other"], ["A%20b", "notes"]]) {
    const answer = await rls(app, "PATCH", `/policies/${path}`, { table_name, using_expression: "true" });
    assert.deepEqual([answer.status, answer.body.error.code], [404, "RESOURCE_NOT_FOUND"]);
  }
  const invalid = await rls(app, "PATCH", "/policies/own", { table_name: "notes" });
  assert.deepEqual([invalid.status, invalid.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
});

Deno.test("policies that go round in a circle are refused, however they come about, and the way out works", async () => {
  const app = await createSqlApp(p);
  await app.run(`create table teams (id int, name text);
    create table members (team_id int, user_id text); insert into members values (1, 'ada'), (1, 'bob'), (2, 'bob')`);
  const own =
    "exists (select 1 from members m where m.team_id = members.team_id and m.user_id = current_user_id())";
  const circle = { table_name: "members", policy_name: "peers", using_expression: own };
  const refuses = async (
    answer: Promise<
      { status: number; body: { error: { code: string; message: string; remediation: string } } }
    >,
  ) => {
    const { status, body } = await answer;
    assert.deepEqual([status, body.error.code], [400, "RLS_INVALID_EXPRESSION"]);
    assert.match(body.error.message, /infinite recursion detected in policy for relation "members"/);
    assert.match(body.error.remediation, /SECURITY DEFINER/);
  };
  await refuses(rls(app, "POST", "/policies", circle));
  assert.deepEqual((await rls(app, "GET", "")).body, { policies: [], tables_with_rls: [] });

  const mine = {
    table_name: "members",
    policy_name: "mine",
    using_expression: "user_id = current_user_id()",
  };
  await rls(app, "POST", "/policies", mine);
  const teams = {
    table_name: "teams",
    policy_name: "own",
    using_expression: "id in (select team_id from members)",
  };
  assert.equal((await rls(app, "POST", "/policies", teams)).status, 200);
  const back = { table_name: "members", using_expression: "exists (select 1 from teams where id = team_id)" };
  const { status, body } = await rls(app, "PATCH", "/policies/mine", back);
  assert.deepEqual([status, body.error.code, /circle|recursion/.test(body.error.message)], [
    400,
    "RLS_INVALID_EXPRESSION",
    true,
  ]);

  await app.run(
    `alter table members disable row level security; create policy sly on members using (${own})`,
  );
  await refuses(rls(app, "POST", "/enable", { table_name: "members" }));
  await app.run("drop policy sly on members");
  await app.run(`create function teams_of(who text) returns setof int language sql stable security definer
    set search_path = public as 'select team_id from members where user_id = who'`);
  const out = { ...circle, using_expression: "team_id in (select teams_of(current_user_id()))" };
  assert.equal((await rls(app, "POST", "/policies", out)).status, 200);
  const { rows } = await app.as(await app.user("ada"), "select user_id from members order by 1");
  assert.deepEqual(rows, [{ user_id: "ada" }, { user_id: "bob" }]);
});

Deno.test("the writer of a policy is warned of tables in it that its role sees nothing of, or must not read", async () => {
  const app = await openNotes();
  await app.run("create table teams (id int); create table closed (id int)");
  await rls(app, "POST", "/enable", { table_name: "teams" });
  const reads = (table: string) => ({
    ...policy,
    role: "user",
    using_expression: `exists (with t as (select 1 from "public". ${table}) select from t)`,
  });
  const unseen = await rls(app, "POST", "/policies", reads("TEAMS"));
  assert.equal(unseen.body.warnings.length, 1);
  assert.match(unseen.body.warnings[0], /"teams".*no SELECT policy for user/);
  const closed = await rls(app, "POST", "/policies", reads("closed"));
  assert.equal(closed.body.warnings.length, 1);
  assert.match(closed.body.warnings[0], /"notes" cannot be used.*permission denied for table closed/);
  const seen = { table_name: "teams", policy_name: "seen", using_expression: "id > 0", command: "SELECT" };
  await rls(app, "POST", "/policies", { ...seen, role: "anon" });
  assert.equal((await rls(app, "POST", "/policies", reads("teams"))).body.warnings.length, 1);
  await rls(app, "POST", "/policies", { ...seen, role: "user" });
  assert.equal((await rls(app, "POST", "/policies", reads("teams"))).body.warnings, undefined);
  await rls(app, "POST", "/policies", seen);
  assert.equal(
    (await rls(app, "PATCH", "/policies/own", { ...reads("teams"), role: "anon" })).body.warnings,
    undefined,
  );
  await rls(app, "POST", "/policies", { ...seen, restrictive: true });
  assert.equal((await rls(app, "POST", "/policies", reads("teams"))).body.warnings.length, 1);
});

Deno.test("only a platform key with access to the app reaches any of the routes", async () => {
  const app = await openNotes();
  await rls(app, "POST", "/policies", policy);
  const before = (await rls(app, "GET", "")).body;
  const other = await p.createApp();
  const { body: appKey } = await p.json("POST", "/api-keys", {
    body: { name: "other", key_scope: "app", target_app_id: other },
  });
  const callers: [string, string | null, number][] = [
    ["nobody", null, 401],
    ["an end user", await app.user("ada"), 401],
    ["an unknown key", `bb_sk_${"f".repeat(40)}`, 401],
    ["another account", await p.addAccount(), 404],
    ["another app's key", appKey.key, 404],
  ];
  const isolation = { table_name: "notes", user_column: "owner" };
  const requests: [string, string, object | null][] = [
    ["GET", "", null],
    ["POST", "", isolation],
    ["POST", "/enable", isolation],
    ["POST", "/policies", { ...policy, using_expression: "true" }],
    ["PATCH", "/policies/own", { table_name: "notes", using_expression: "true" }],
    ["DELETE", "/notes", null],
    ["DELETE", "/notes/own", null],
  ];
  for (const [who, key, expected] of callers) {
    for (const [method, path, body] of requests) {
      const { status } = await p.json(method, `/v1/${app.id}/rls${path}`, { key, body });
      assert.equal(status, expected, `${method} ${path} by ${who}`);
    }
  }
  for (const [method, path, body] of requests) {
    assert.equal((await p.json(method, `/v1/app_000000000000/rls${path}`, { body })).status, 404);
  }
  assert.deepEqual((await rls(app, "GET", "")).body, before);
});
