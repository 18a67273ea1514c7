// Row-level security over HTTP: policies, the helper that isolates users, and what a table's callers then see.

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

const ada = "a0000000-0000-4000-8000-000000000001";
const bob = "b0000000-0000-4000-8000-000000000002";

const rls = (app: SqlApp, method: string, path = "", body: object | null = null) =>
  p.json(method, `/v1/${app.id}/rls${path}`, { body });

async function openNotes(): Promise<SqlApp> {
  const app = await createSqlApp(p);
  await app.run(`create table notes (id serial primary key, user_id uuid, editor text, body text, shown bool);
    insert into notes (user_id, body, shown) values ('${ada}', 'of ada', false), ('${bob}', 'of bob', true)`);
  return app;
}

/** What each caller reads of the bodies, or the code of the error. */
async function read(app: SqlApp): Promise<unknown> {
  const select = async (credential: string | null) => {
    const { rows, error } = await app.as(credential, "select body from notes order by id");
    return error ?? rows.map(({ body }) => body);
  };
  return {
    ada: await select(await app.user(ada)),
    bob: await select(await app.user(bob)),
    nobody: await select(null),
    service: await select(ownerKey),
  };
}
const both = ["of ada", "of bob"];

Deno.test("POST /rls isolates users, enters new rows in their names, and may be repeated", async () => {
  const app = await openNotes();
  const request = { table_name: "notes", user_column: "user_id" };
  const { status, body } = await rls(app, "POST", "", request);
  const { _meta, ...answer } = body;
  assert.equal(status, 200);
  assert.deepEqual(answer, {
    success: true,
    table: "notes",
    user_column: "user_id",
    policy_name: "notes_user_isolation",
  });
  assert.ok(_meta.next_actions.length > 0);
  const first = await rls(app, "GET");
  assert.deepEqual((await rls(app, "POST", "", request)).body, body);
  assert.deepEqual((await rls(app, "GET")).body, first.body);
  assert.deepEqual(await read(app), { ada: ["of ada"], bob: ["of bob"], nobody: [], service: both });

  const insert = `insert into notes (user_id, body) values ('${bob}', 'new') returning user_id`;
  assert.deepEqual((await app.as(await app.user(ada), insert)).rows, [{ user_id: ada }]);
  assert.deepEqual((await app.as(ownerKey, insert)).rows, [{ user_id: bob }]);
  assert.equal((await app.as(null, insert)).error, "42501");
  const text = await app.as(await app.user("not-a-uuid"), insert);
  assert.equal(text.error, "22P02");
});

Deno.test("POST /rls with public_read_column shows everybody the rows where it is true, and leaves them shown without it", async () => {
  const app = await openNotes();
  const request = { table_name: "notes", user_column: "user_id" };
  const { body } = await rls(app, "POST", "", { ...request, public_read_column: "shown" });
  assert.deepEqual(body.public_read_policies, ["notes_public_read_user", "notes_public_read_anon"]);
  const seen = { ada: both, bob: ["of bob"], nobody: ["of bob"], service: both };
  assert.deepEqual(await read(app), seen);
  await rls(app, "POST", "", request);
  assert.deepEqual(await read(app), seen);
  const update = await app.as(
    await app.user(ada),
    `update notes set body = 'x' where user_id = '${bob}' returning id`,
  );
  assert.deepEqual(update.rows, []);
});

const refusedIsolations: [object, string][] = [
  [{}, "VALIDATION_INVALID_SCHEMA"],
  [{ table_name: "notes" }, "VALIDATION_INVALID_SCHEMA"],
  [{ table_name: 7, user_column: "user_id" }, "VALIDATION_INVALID_SCHEMA"],
  [{ table_name: "_idempotency_keys", user_column: "key" }, "VALIDATION_RESERVED_TABLE"],
  [{ table_name: "other", user_column: "user_id" }, "VALIDATION_TABLE_NOT_FOUND"],
  [{ table_name: "__proto__", user_column: "user_id" }, "VALIDATION_RESERVED_TABLE"],
  [{ table_name: "constructor", user_column: "user_id" }, "VALIDATION_TABLE_NOT_FOUND"],
  [{ table_name: 'notes"; drop table notes; --', user_column: "user_id" }, "VALIDATION_TABLE_NOT_FOUND"],
  [{ table_name: "notes", user_column: "owner" }, "VALIDATION_COLUMN_NOT_FOUND"],
  [{ table_name: "notes", user_column: "id" }, "VALIDATION_INVALID_TYPE"],
  [{ table_name: "notes", user_column: "user_id", public_read_column: "no" }, "VALIDATION_COLUMN_NOT_FOUND"],
  [{ table_name: "notes", user_column: "user_id", public_read_column: "body" }, "VALIDATION_INVALID_TYPE"],
];

Deno.test("POST /rls refuses what is wrong, and then changes nothing at all", async () => {
  const app = await openNotes();
  for (const [body, code] of refusedIsolations) {
    const answer = await rls(app, "POST", "", body);
    assert.deepEqual([answer.status, answer.body.error.code], [400, code], JSON.stringify(body));
  }
  assert.deepEqual((await rls(app, "GET")).body, { policies: [], tables_with_rls: [] });
  const closed = "RLS_NOT_ENABLED";
  assert.deepEqual(await read(app), { ada: closed, bob: closed, nobody: closed, service: both });
});

Deno.test("the helper works on any name that a table or column can have", async () => {
  const app = await createSqlApp(p);
  const longest = "t".repeat(63);
  for (
    const [table, column] of [['od"d; --', "o'w\"ner"], [longest, "constructor"], [
      "Überblick",
      "__proto__",
    ]] as const
  ) {
    const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
    await app.run(`create table ${quote(table)} (${quote(column)} text, "sh""own" bool)`);
    const { status, body } = await rls(app, "POST", "", {
      table_name: table,
      user_column: column,
      public_read_column: 'sh"own',
    });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(new Set([body.policy_name, ...body.public_read_policies]).size, 3);
    const insert = `insert into ${quote(table)} default values returning *`;
    const { rows } = await app.as(await app.user("ada"), insert);
    assert.equal(Object.getOwnPropertyDescriptor(rows[0], column)?.value, "ada");
    assert.equal((await rls(app, "DELETE", `/${encodeURIComponent(table)}`)).body.policies_removed, 4);
  }
});

Deno.test("GET /rls lists policies in the form that clients read", async () => {
  const app = await openNotes();
  await app.run(
    "create table _own (id int); alter table _own enable row level security; create policy hid on _own using (true)",
  );
  await rls(app, "POST", "/policies", {
    table_name: "notes",
    policy_name: "own",
    role: "user",
    restrictive: true,
    command: "UPDATE",
    using_expression: "body <> 'a  b' -- two blanks",
    with_check_expression: "shown",
  });
  assert.deepEqual((await rls(app, "GET")).body, {
    policies: [{
      schemaname: "public",
      tablename: "notes",
      policyname: "own",
      permissive: "RESTRICTIVE",
      roles: ["butterbase_user"],
      cmd: "UPDATE",
      qual: "(body <> 'a  b'::text)",
      with_check: "shown",
    }],
    tables_with_rls: ["notes"],
  });
});

Deno.test("POST /rls/enable closes a table to all but service, also one that was open on purpose", async () => {
  const app = await openNotes();
  await app.run("select butterbase.set_table_open('notes', true)");
  assert.deepEqual(await read(app), { ada: both, bob: both, nobody: both, service: both });
  for (const _ of [1, 2]) {
    const { status, body } = await rls(app, "POST", "/enable", { table_name: "notes" });
    assert.deepEqual([status, body], [200, { success: true, table: "notes", rls_enabled: true }]);
    assert.deepEqual(await read(app), { ada: [], bob: [], nobody: [], service: both });
  }
  assert.deepEqual(
    (await rls(app, "GET")).body.policies.map((policy: Record<string, unknown>) => policy["policyname"]),
    [
      "notes_service_bypass",
    ],
  );
  await app.run("alter table notes disable row level security");
  const closed = "RLS_NOT_ENABLED";
  assert.deepEqual(await read(app), { ada: closed, bob: closed, nobody: closed, service: both });
  for (const [table, code] of [["no", "VALIDATION_TABLE_NOT_FOUND"], ["_x", "VALIDATION_RESERVED_TABLE"]]) {
    const { status, body } = await rls(app, "POST", "/enable", { table_name: table });
    assert.deepEqual([status, body.error.code], [400, code]);
  }
});

Deno.test("DELETE /rls/:table/:policy keeps the rest; DELETE /rls/:table removes all and closes the table", async () => {
  const app = await openNotes();
  await rls(app, "POST", "", { table_name: "notes", user_column: "user_id", public_read_column: "shown" });
  const one = await rls(app, "DELETE", "/notes/notes_public_read_anon");
  const { message, ...rest } = one.body;
  assert.match(message, /notes_public_read_anon/);
  assert.deepEqual([one.status, rest], [200, {
    table: "notes",
    policy_name: "notes_public_read_anon",
    remaining_policies: 3,
  }]);
  assert.deepEqual(await read(app), { ada: both, bob: ["of bob"], nobody: [], service: both });

  const all = await rls(app, "DELETE", "/notes");
  assert.equal(all.status, 200);
  assert.deepEqual([all.body.table, all.body.policies_removed], ["notes", 3]);
  const closed = "RLS_NOT_ENABLED";
  assert.deepEqual(await read(app), { ada: closed, bob: closed, nobody: closed, service: both });
  await app.run("alter table notes enable row level security; create policy any_row on notes using (true)");
  const insert = await app.as(await app.user(ada), "insert into notes (body) values ('x') returning user_id");
  assert.deepEqual(insert.rows, [{ user_id: null }], "the trigger is gone too");

  const missing: [string, number, string][] = [
    ["/notes/no", 404, "RESOURCE_NOT_FOUND"],
    ["/no/own", 404, "RESOURCE_NOT_FOUND"],
    ["/no", 404, "RESOURCE_NOT_FOUND"],
    ["/notes/A%22b", 400, "VALIDATION_INVALID_SCHEMA"],
    ["/_idempotency_keys", 400, "VALIDATION_RESERVED_TABLE"],
    ["/_idempotency_keys/own", 400, "VALIDATION_RESERVED_TABLE"],
  ];
  for (const [path, status, code] of missing) {
    const answer = await rls(app, "DELETE", path);
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], path);
  }
  await rls(app, "DELETE", "/notes");
  assert.equal((await rls(app, "DELETE", "/notes")).status, 404);
});

Deno.test("the trigger fills one column of a table: that of the last request", async () => {
  const app = await openNotes();
  const policy = {
    table_name: "notes",
    policy_name: "all_rows",
    using_expression: "true",
    user_column: "editor",
  };
  await rls(app, "POST", "", { table_name: "notes", user_column: "user_id" });
  assert.equal((await rls(app, "POST", "/policies", policy)).status, 200);
  const insert = "insert into notes (user_id, editor) values (null, 'forged') returning user_id, editor";
  assert.deepEqual((await app.as(await app.user(ada), insert)).rows, [{ user_id: null, editor: ada }]);
  assert.deepEqual((await app.as(null, insert)).rows, [{ user_id: null, editor: "forged" }]);
  await rls(app, "DELETE", "/notes/all_rows");
  assert.equal((await app.as(await app.user(ada), insert)).error, "42501");
});

Deno.test("creations are in the list of migrations with their SQL, and policies can be changed while the app is paused", async () => {
  const app = await openNotes();
  await p.json("PATCH", `/v1/${app.id}/config/pause`, { body: { paused: true } });
  await rls(app, "POST", "/enable", { table_name: "notes" });
  await rls(app, "POST", "", { table_name: "notes", user_column: "user_id" });
  const policy = { table_name: "notes", policy_name: "own", using_expression: "editor = 'a;b'" };
  assert.equal((await rls(app, "POST", "/policies", policy)).status, 200);
  const { body } = await p.json("GET", `/v1/${app.id}/migrations`);
  const [newest, former, ...others] = body.migrations;
  assert.equal(newest.description, "rls_policy_notes_own");
  assert.match(newest.applied_sql, /create policy "own" on public."notes" .* using \(editor = 'a;b'\);/);
  assert.equal(former.description, "rls_user_isolation_notes");
  assert.deepEqual(others, []);
});
