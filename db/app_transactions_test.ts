// What one transaction in an app's database is: its values arrive as they were sent, nothing of it reaches the next, and
// an abort ends it on the server.

import assert from "node:assert/strict";
import { type DatabaseIdentity, serviceIdentity, userIdentity } from "../core/principal.ts";
import { QueryError } from "./mod.ts";
import { openTestApp, type TestApp } from "./testing.ts";

const ada = userIdentity("ada", { sub: "ada" });
const bob = userIdentity("bob");

Deno.test("parameters are text in PostgreSQL's format, whatever the type, and values come back as bytes", async () => {
  await using app = await openTestApp();
  await app.run(
    serviceIdentity,
    `create table t (i int8, b bool, a int[], y bytea, j jsonb, n numeric, s timestamptz,
    u uuid, x text)`,
  );
  const values = [
    "9007199254740993",
    "true",
    "{1,2}",
    "\\x00ff",
    '{"k": "é"}',
    "1.50",
    "2026-01-02 03:04:05+00",
    "0b0b0b0b-0000-0000-0000-000000000000",
    null,
  ];
  const result = await app.apps.query(app.name, serviceIdentity, {
    text: "insert into t values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *",
    parameters: values,
  });
  assert.equal(result.command, "INSERT");
  assert.equal(result.rowCount, 1);
  assert.deepEqual(result.columns.map(({ type }) => type), [20, 16, 1007, 17, 3802, 1700, 1184, 2950, 25]);
  assert.deepEqual(app.texts(result), [[
    "9007199254740993",
    "t",
    "{1,2}",
    "\\x00ff",
    '{"k": "é"}',
    "1.50",
    "2026-01-02 03:04:05+00",
    "0b0b0b0b-0000-0000-0000-000000000000",
    null,
  ]]);
});

Deno.test("several statements run as one transaction, and the last one's result is the answer", async () => {
  await using app = await openTestApp();
  assert.deepEqual(
    await app.run(serviceIdentity, "create table t (n int); insert into t values (1), (2); table t"),
    [["1"], ["2"]],
  );
  await assert.rejects(app.run(serviceIdentity, "insert into t values (3); select 1/0; select 2"), {
    code: "22012",
  });
  assert.deepEqual(await app.run(serviceIdentity, "select count(*) from t"), [["2"]]);
  assert.deepEqual(await app.run(serviceIdentity, ""), []);
});

Deno.test("errors carry PostgreSQL's fields and the session serves on", async () => {
  await using app = await openTestApp();
  await app.run(serviceIdentity, "create table t (id int primary key); insert into t values (1)");
  await assert.rejects(app.run(serviceIdentity, "insert into t values ($1)", ["1"]), {
    name: "QueryError",
    code: "23505",
    table: "t",
    constraint: "t_pkey",
    detail: "Key (id)=(1) already exists.",
  });
  await assert.rejects(app.run(serviceIdentity, "select nothing from t"), { code: "42703", position: 8 });
  await assert.rejects(app.run(serviceIdentity, "copy t from stdin"), QueryError);
  await assert.rejects(app.run(serviceIdentity, "copy t from stdin; select 1"), QueryError);
  await assert.rejects(app.run(serviceIdentity, "copy t to stdout"), { code: "0A000" });
  await assert.rejects(app.run(serviceIdentity, "select '\0'"), { code: "22021" });
  await assert.rejects(app.run(serviceIdentity, "select $1::text", ["\0"]), { code: "22021" });
  await assert.rejects(app.run(serviceIdentity, "select repeat('x', 1000000) from generate_series(1, 200)"), {
    code: "54000",
  });
  assert.deepEqual(await app.run(serviceIdentity, "select 1"), [["1"]]);
});

Deno.test("a prepared statement survives a change of its table", async () => {
  await using app = await openTestApp({ appConnections: 4 });
  await app.run(serviceIdentity, "create table t (id int); insert into t values (1)");
  for (let round = 0; round < 6; round++) {
    await app.run(serviceIdentity, "select * from t where id = $1", ["1"]);
  }
  await app.run(serviceIdentity, "alter table t add more text default 'x'");
  for (let round = 0; round < 6; round++) {
    assert.deepEqual(await app.run(serviceIdentity, "select * from t where id = $1", ["1"]), [["1", "x"]]);
  }
  await app.run(serviceIdentity, "deallocate all");
  assert.deepEqual(await app.run(serviceIdentity, "select * from t where id = $1", ["1"]), [["1", "x"]]);
});

/** What SQL may leave in a session, in plain sight and hidden in a function. */
const traces = [
  "set search_path = pg_catalog",
  "select set_config('app.secret', 'ada''s', false)",
  "select set_config('request.jwt.claim.sub', 'ada', false)",
  "set statement_timeout = 1",
  "set timezone = 'Asia/Kolkata'",
  "set default_transaction_read_only = on",
  "create temp table trace (n int)",
  "prepare trace as select 'ada'",
  "select pg_advisory_lock(42)",
  "listen trace",
  "declare trace cursor with hold for select 1",
  "commit; begin; set app.secret = 'ada''s'; commit",
  "do $$ begin execute 'pre' || 'pare trace as select 1'; perform pg_advisory_lock(42); end $$",
  "do $$ begin execute 'deallo' || 'cate butterbase_settings'; end $$",
  "do $$ begin execute 'deallo' || 'cate butterbase_settings';" +
  " execute 'prepare butterbase_settings(text, text, text, text) as select 1'; end $$",
  "begin",
  "rollback",
  "savepoint trace",
];

const look =
  `select current_user_id(), current_setting('search_path'), current_setting('app.secret', true) is not distinct
  from 'ada''s', current_setting('statement_timeout'), current_setting('timezone'),
  current_setting('transaction_read_only'), to_regclass('pg_temp.trace'),
  (select count(*) from pg_prepared_statements where from_sql), (select count(*) from pg_cursors where name = 'trace'),
  (select count(*) from pg_listening_channels()), pg_try_advisory_xact_lock(42)`;
const clean = ["bob", "public", "f", "0", "UTC", "off", null, "0", "0", "0", "t"];

Deno.test("nothing that a transaction leaves in its session reaches the next", async () => {
  await using app = await openTestApp({ appConnections: 8 });
  for (const trace of traces) {
    await app.run(ada, trace);
    // Back in the pool, so that the next transaction meets the same session; its locks are gone by then too.
    await settled(app);
    for (let round = 0; round < 3; round++) assert.deepEqual(await app.run(bob, look), [clean], trace);
    const held = await app.apps.begin(app.name, ada);
    await held.query({ text: trace, parameters: [] }).catch(() => {});
    await held.rollback();
    await settled(app);
    for (let round = 0; round < 3; round++) {
      assert.deepEqual(await app.run(bob, look), [clean], `held: ${trace}`);
    }
  }
});

Deno.test("an open transaction commits, rolls back, and ends when its SQL ends it", async () => {
  await using app = await openTestApp();
  await app.run(serviceIdentity, "create table t (n int)");
  const count = () => app.run(serviceIdentity, "select count(*) from t");
  const insert = { text: "insert into t values ($1)", parameters: ["1"] };

  const first = await app.apps.begin(app.name, serviceIdentity);
  await Promise.all([first.query(insert), first.query(insert)]);
  assert.deepEqual(await count(), [["0"]]);
  await first.commit();
  assert.deepEqual(await count(), [["2"]]);
  await assert.rejects(first.query(insert), { code: "25P01" });

  const second = await app.apps.begin(app.name, serviceIdentity);
  await second.query(insert);
  await assert.rejects(second.query({ text: "select 1/0", parameters: [] }), { code: "22012" });
  await assert.rejects(second.commit(), { code: "40000" });
  await second.rollback();
  assert.deepEqual(await count(), [["2"]]);

  const third = await app.apps.begin(app.name, ada);
  await third.query({ text: "commit", parameters: [] });
  await assert.rejects(third.query({ text: "select 1", parameters: [] }), { code: "25P01" });

  const readOnly = await app.apps.begin(app.name, serviceIdentity, { readOnly: true });
  await assert.rejects(readOnly.query(insert), { code: "25006" });
  await readOnly.rollback();
  await assert.rejects(app.apps.query(app.name, serviceIdentity, insert, { readOnly: true }), {
    code: "25006",
  });
  await settled(app);
});

Deno.test("an abort cancels the statement on the server, and a limit of time ends it", async () => {
  await using app = await openTestApp();
  const sleep = { text: "select pg_sleep(30)", parameters: [] };
  const reason = new Error("the caller left");
  const startedAt = performance.now();

  const leaving = new AbortController();
  const query = app.apps.query(app.name, ada, sleep, { signal: leaving.signal });
  setTimeout(() => leaving.abort(reason), 100);
  await assert.rejects(query, reason);

  const leavingToo = new AbortController();
  const held = await app.apps.begin(app.name, ada, { signal: leavingToo.signal });
  const step = held.query(sleep);
  setTimeout(() => leavingToo.abort(reason), 100);
  await assert.rejects(step, reason);
  await assert.rejects(held.query(sleep), reason);
  await held.rollback();

  await assert.rejects(app.apps.query(app.name, ada, sleep, { statementTimeoutMs: 100 }), { code: "57014" });
  await assert.rejects(
    app.apps.query(app.name, ada, { ...sleep, text: "select 1; select pg_sleep(30)" }, {
      statementTimeoutMs: 100,
    }),
    { code: "57014" },
  );
  assert.ok(performance.now() - startedAt < 5000);
  await settled(app);
  assert.deepEqual(await app.backends("state <> 'idle'"), 0);
  assert.deepEqual(await app.run(bob, "select current_user_id()"), [["bob"]]);
});

Deno.test("a query beside an open transaction takes another connection, and the app's share is its limit", async () => {
  await using app = await openTestApp({ appConnections: 8, waitMs: 200 });
  const first = await app.apps.begin(app.name, ada);
  assert.deepEqual(await app.run(ada, "select 1"), [["1"]]);
  const second = await app.apps.begin(app.name, bob);
  await assert.rejects(app.run(ada, "select 1"), (error: Error & { code: string; remediation: string }) => {
    assert.equal(error.code, "QUOTA_LIMIT_EXCEEDED");
    assert.match(error.message, /2 of the app's 2 and 2 of all 8 are in use/);
    assert.match(error.remediation, /BUTTERBASE_APP_CONNECTIONS/);
    return true;
  });
  await first.rollback();
  assert.deepEqual(await app.run(ada, "select 1"), [["1"]]);
  await second.rollback();
});

Deno.test("many at once, each as itself", async () => {
  await using app = await openTestApp();
  const people: DatabaseIdentity[] = Array.from({ length: 300 }, (_, at) => userIdentity(`user ${at}`));
  const answers = await Promise.all(people.map((person) => app.run(person, "select current_user_id()")));
  assert.deepEqual(answers, people.map(({ userId }) => [[userId]]));
  assert.ok(app.apps.stats().open <= 4);
});

Deno.test("connections whose server ended them are replaced", async () => {
  await using app = await openTestApp();
  await app.run(ada, "select 1");
  const held = await app.apps.begin(app.name, ada);
  await app.endBackends();
  await assert.rejects(held.query({ text: "select 1", parameters: [] }), { code: "EXTERNAL_DB_ERROR" });
  await held.rollback();
  assert.deepEqual(await app.run(ada, "select 1"), [["1"]]);
});

/** Sessions go back to the pool shortly after their answers. */
async function settled(app: TestApp): Promise<void> {
  const until = performance.now() + 3000;
  while (app.apps.stats().leased > 0) {
    assert.ok(performance.now() < until, "a session did not come back");
    await new Promise((done) => setTimeout(done, 10));
  }
}
