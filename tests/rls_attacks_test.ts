// An end user, an anonymous caller and a stranger against the rows of another user, by every means that a function's SQL
// has: they neither read nor change them.

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

const secret = "s3cret of bob";

/** Table `notes` has the trigger, `letters` a policy alone; each holds a row of ada's and many of bob's. */
async function openWorld(): Promise<SqlApp> {
  const app = await createSqlApp(p);
  await app.run(`create table notes (id int primary key, user_id text not null, body text, code text unique);
    create table letters (id int primary key, user_id text, body text);
    create table comments (id int, note_id int references notes on delete cascade, user_id text);
    create table parts (id int, user_id text, body text) partition by list (user_id);
    create table parts_of_bob partition of parts for values in ('bob');
    create sequence numbers;
    insert into notes values (1, 'ada', 'mine', 'a');
    insert into notes select n, 'bob', '${secret}', n::text from generate_series(2, 200) n;
    insert into letters select id, user_id, body from notes;
    insert into parts values (1, 'bob', '${secret}');
    create view seen with (security_invoker = true) as select * from notes;
    create view owned as select * from notes;
    create materialized view kept as select * from notes;
    create function count_notes() returns int8 language sql return (select count(*) from notes);
    analyze notes, letters`);
  const isolate = (table: string) =>
    p.json("POST", `/v1/${app.id}/rls`, { body: { table_name: table, user_column: "user_id" } });
  for (const table of ["notes", "letters", "comments", "parts"]) {
    assert.equal((await isolate(table)).status, 200);
  }
  await app.run("drop trigger letters_set_user_id_trigger on letters");
  return app;
}

const everything = `select (select jsonb_agg(n order by id) from notes n where user_id = 'bob') as notes,
  (select jsonb_agg(l order by id) from letters l where user_id = 'bob') as letters,
  (select jsonb_agg(x) from parts x) as parts, (select count(*)::int from notes) as count,
  (select last_value::text from numbers) as number,
  (select jsonb_agg(p.polname order by p.polname) from pg_policy p) as policies`;

/** What the attack gives, exactly: an error's code, or rows. */
const attacks: [string, string | unknown[]][] = [
  [`select body from notes where user_id = 'bob'`, []],
  [`select body from notes where id = 2 or true`, [{ body: "mine" }]],
  [`select body from seen`, [{ body: "mine" }]],
  [`select body from only letters tablesample system (100)`, [{ body: "mine" }]],
  [`table parts`, []],
  [`select count(*)::int as count from notes`, [{ count: 1 }]],
  [`select count_notes()::int as count`, [{ count: 1 }]],
  [`select * from owned`, "42501"],
  [`select * from kept`, "42501"],
  [`select * from parts_of_bob`, "RLS_NOT_ENABLED"],
  [`insert into parts_of_bob values (3, 'bob', 'x')`, "RLS_NOT_ENABLED"],
  [`update letters set user_id = 'bob' where id = 1`, "42501"],
  [`update notes set user_id = 'bob' where id = 1`, "42501"],
  [`update letters set body = 'x' where id = 2 returning *`, []],
  [`update letters set body = l.body from letters l where l.id = 2 returning letters.*`, []],
  [`delete from letters where user_id = 'bob' returning *`, []],
  [`delete from letters using notes n where letters.id = n.id and n.user_id = 'bob' returning letters.*`, []],
  [`insert into letters values (900, 'bob', 'x')`, "42501"],
  [`insert into letters values (900, null, 'x')`, "42501"],
  [`insert into letters values (2, 'ada', 'x')`, "23505"],
  [
    `insert into letters values (2, 'ada', 'x') on conflict (id) do update set body = 'x' returning *`,
    "42501",
  ],
  [`insert into letters values (2, 'ada', 'x') on conflict (id) do nothing returning *`, []],
  [
    `insert into notes values (1, 'ada', 'mine', 'b') on conflict (id) do update set user_id = 'bob'`,
    "42501",
  ],
  [
    `merge into letters l using (values (2)) v (id) on l.id = v.id when matched then update set body = 'x'
     when not matched then insert values (2, 'ada', 'x')`,
    "23505",
  ],
  [`truncate notes`, "42501"],
  [`copy notes to stdout`, "0A000"],
  [`copy (select * from notes) to program 'cat'`, "42501"],
  [`set row_security = off; select * from notes`, "42501"],
  [`set role butterbase_service`, "42501"],
  [`set session authorization butterbase_service`, "42501"],
  [`reset role; select body from notes`, [{ body: "mine" }]],
  [`alter role butterbase_user bypassrls`, "42501"],
  [`grant butterbase_service to butterbase_user`, "42501"],
  [`alter table notes disable row level security`, "42501"],
  [`alter table notes owner to butterbase_user`, "42501"],
  [`create policy mine on notes using (true)`, "42501"],
  [`drop policy notes_user_isolation on notes`, "42501"],
  [`alter policy notes_user_isolation on notes using (true)`, "42501"],
  [`drop trigger notes_set_user_id_trigger on notes`, "42501"],
  [`alter table notes disable trigger all`, "42501"],
  [`set session_replication_role = replica`, "42501"],
  [`create rule sly as on select to notes do instead select 1`, "42501"],
  [`create or replace function current_user_id() returns text language sql as 'select ''bob'''`, "42501"],
  [`create function public.sly() returns int language sql as 'select 1'`, "42501"],
  [`select butterbase.set_table_open('notes', true)`, "42501"],
  [`select * from butterbase.table_faults('notes')`, "42501"],
  [`select setval('numbers', 9000)`, "42501"],
  [`select most_common_vals::text from pg_stats where tablename = 'notes'`, []],
  [`select stavalues1::text from pg_statistic`, "42501"],
  [`select body from notes where 1 / (length(body) - 13) = 0 and id = 2`, []],
  [`select body from notes where body::int = 1 and user_id = 'bob'`, []],
  [
    `create function pg_temp.leak(text) returns bool language plpgsql cost 0.0000001 as
      $$ begin if $1 like '%bob' then raise exception 'leak %', $1; end if; return true; end $$;
    select body from notes where pg_temp.leak(body)`,
    [{ body: "mine" }],
  ],
  [
    `create temp table notes (id int, user_id text, body text); insert into pg_temp.notes values (1, 'x', 'own');
    select body from seen`,
    [{ body: "mine" }],
  ],
  [
    `set search_path = pg_temp, public; create function pg_temp.current_user_id() returns text language sql return 'bob';
    select body from public.notes`,
    [{ body: "mine" }],
  ],
  [`set local app.role = 'butterbase_service'; select body from notes`, [{ body: "mine" }]],
  [
    `set local app.role = 'butterbase_service'; insert into notes values (901, 'bob', 'x', 'x') returning user_id`,
    [{ user_id: "ada" }],
  ],
];

Deno.test("an end user neither reads nor changes another's rows, whatever SQL is tried", async () => {
  const app = await openWorld();
  const ada = await app.user("ada");
  for (const [text, expected] of attacks) {
    const [before] = await app.run(everything);
    const { rows, error, message } = await app.as(ada, text);
    assert.deepEqual(error ?? rows, expected, `${text}: ${message}`);
    assert.doesNotMatch(JSON.stringify(rows) + message, /s3cret/, text);
    await app.run("delete from notes where id > 900");
    assert.deepEqual(await app.run(everything), [before], text);
  }
});

Deno.test("nobody, and the user of another app, fare no better", async () => {
  const app = await openWorld();
  const other = await createSqlApp(p);
  for (const caller of [null, await other.user("bob")]) {
    const [before] = await app.run(everything);
    for (const [text] of attacks) {
      const { rows, message } = await app.as(caller, text);
      assert.doesNotMatch(JSON.stringify(rows) + message, /s3cret|mine/, text);
    }
    assert.deepEqual(await app.run(everything), [before]);
  }
});

Deno.test("the service role sees all, as a user only that user's rows", async () => {
  const app = await openWorld();
  const url = `/v1/${app.id}/fn/sql`;
  const count = async (headers: Record<string, string>) =>
    (await p.json("POST", url, { headers, body: { text: "select count(*)::int as n from notes" } })).body
      .rows[0].n;
  assert.equal(await count({}), 200);
  assert.equal(await count({ "x-butterbase-as-user": "ada" }), 1);
  assert.equal(await count({ "x-butterbase-as-user": "bob" }), 199);
  assert.equal(await count({ "x-butterbase-as-user": "eve" }), 0);
});

Deno.test("foreign keys and unique columns tell that a hidden row is there, and no more", async () => {
  const app = await openWorld();
  const ada = await app.user("ada");
  const comment = (note: number) =>
    app.as(ada, "insert into comments values (1, $1, 'ada') returning user_id", [note]);
  assert.deepEqual((await comment(2)).rows, [{ user_id: "ada" }]);
  assert.equal((await comment(7000)).error, "23503");
  const taken = await app.as(ada, "insert into notes values (902, 'ada', 'x', '2')");
  assert.equal(taken.error, "23505");
  assert.doesNotMatch(taken.message, /s3cret/);
});

Deno.test("a function's own SQL may speak for another user within its transaction, and not beyond it", async () => {
  const app = await openWorld();
  const ada = await app.user("ada");
  const forge = (scope: string) =>
    `select set_config('request.jwt.claim.sub', 'bob', ${scope}); select count(*)::int as n from notes`;
  for (const scope of ["true", "false"]) {
    assert.deepEqual((await app.as(ada, forge(scope))).rows, [{ n: 199 }]);
    for (const caller of [ada, null]) {
      const { rows } = await app.as(caller, "select current_user_id() as id, count(*)::int as n from notes");
      assert.deepEqual(rows, caller === null ? [{ id: null, n: 0 }] : [{ id: "ada", n: 1 }]);
    }
  }
  assert.equal((await app.as(ownerKey, "select current_user_id() as id")).rows[0].id, null);
});

Deno.test("over REST each caller has what the policies give, whatever id a row is sent with", async () => {
  const app = await openWorld();
  const rest = async (key: string | null, method: string, path: string, body: object | null = null) => {
    const answer = await p.json(method, `/v1/${app.id}/${path}`, { key, body });
    return [answer.status, answer.body?.error?.code ?? answer.body];
  };
  const [before] = await app.run(everything);
  const ada = await app.user("ada");
  const foreign = await (await createSqlApp(p)).user("ada");
  const denied = [403, "AUTH_RLS_POLICY_VIOLATION"];
  const missing = [404, "RESOURCE_NOT_FOUND"];
  assert.deepEqual(await rest(ada, "GET", "notes?select=body"), [200, [{ body: "mine" }]]);
  assert.deepEqual(await rest(null, "GET", "notes?select=body"), [200, []]);
  assert.deepEqual(await rest(foreign, "GET", "notes"), [401, "AUTH_INVALID_END_USER_JWT"]);
  const [, all] = await rest(ownerKey, "GET", "notes?select=id");
  assert.equal(all.length, 200);
  assert.deepEqual(await rest(ada, "GET", "parts_of_bob"), [403, "RLS_NOT_ENABLED"]);
  for (
    const [caller, refusal] of [[ada, missing], [null, missing], [foreign, [
      401,
      "AUTH_INVALID_END_USER_JWT",
    ]]]
  ) {
    assert.deepEqual(await rest(caller as string | null, "GET", "letters/2"), refusal);
    assert.deepEqual(await rest(caller as string | null, "PATCH", "letters/2", { body: "x" }), refusal);
    assert.deepEqual(await rest(caller as string | null, "DELETE", "letters/2"), refusal);
  }
  assert.deepEqual(await rest(ada, "PATCH", "letters/1", { user_id: "bob" }), denied);
  assert.deepEqual(await rest(ada, "POST", "letters", { id: 900, user_id: "bob" }), denied);
  assert.deepEqual(await rest(null, "POST", "notes", { id: 900, user_id: "bob" }), denied);
  const [status, made] = await rest(ada, "POST", "comments", { id: 900, note_id: 1, user_id: "bob" });
  assert.deepEqual([status, made], [201, { id: 900, note_id: 1, user_id: "ada" }]);
  assert.deepEqual(await app.run(everything), [before]);

  await app.run(
    "create policy sly on letters using (exists (select 1 from letters l where l.id > letters.id))",
  );
  assert.deepEqual(await rest(ada, "GET", "letters"), [400, "RLS_INVALID_EXPRESSION"]);
});
