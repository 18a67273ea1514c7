// What a query costs in messages, and that the shorter way leaves nothing behind either: not even what a function hides.

import assert from "node:assert/strict";
import { silentLogger } from "../core/log.ts";
import { serviceIdentity, userIdentity } from "../core/principal.ts";
import { openAppDatabases } from "./app_databases.ts";
import { openTestApp, type TestApp, testSecret } from "./testing.ts";
import { openCountingProxy } from "./testing_proxy.ts";

const ada = userIdentity("ada", { sub: "ada" });
const bob = userIdentity("bob");

Deno.test("identity, policy, statement, commit and cleaning of a query are one round trip", async () => {
  await using app = await openTestApp();
  await app.run(
    serviceIdentity,
    `create table notes (id int, owner text); insert into notes values (1, 'ada'), (2, 'bob');
    alter table notes enable row level security; create policy own on notes using (owner = current_user_id())`,
  );
  await using proxy = await openCountingProxy(app.server.endpoint);
  const apps = await openAppDatabases({
    server: { ...app.server, endpoint: proxy.endpoint },
    control: app.database.control,
    secret: testSecret,
    limit: 8,
    log: silentLogger,
  });
  try {
    const select = { text: "select id from notes where id < $1", parameters: ["10"] };
    await apps.query(app.name, ada, select);
    proxy.asked();
    proxy.answered();
    for (const person of [ada, bob, ada]) {
      const result = await apps.query(app.name, person, select);
      assert.deepEqual(app.texts(result), [[person === ada ? "1" : "2"]]);
      assert.deepEqual(result.columns, [{ name: "id", type: 23 }]);
      const asked = proxy.asked();
      assert.equal(asked.replace(/[^QS]/g, ""), "S", asked);
      assert.doesNotMatch(asked, /[PD]/, "nothing is parsed or described again");
      assert.equal(proxy.answered(), 1);
    }
    assert.deepEqual(apps.stats(), { open: 1, idle: 1, leased: 0, waiting: 0, limit: 8 });
  } finally {
    await apps.close();
  }
});

/** Bodies of functions that leave something behind; `select hidden()` looks like any other query. */
const hidden = [
  "perform set_config('app.secret', 'ada''s', false)",
  "perform set_config('request.jwt.claim.sub', 'ada', false)",
  "set search_path = pg_catalog",
  "set timezone = 'Asia/Kolkata'",
  "set default_transaction_read_only = on",
  "set session characteristics as transaction isolation level serializable",
  "create temp table trace (n int)",
  "execute 'prepare trace as select 1'",
  "perform pg_advisory_lock(42)",
  "listen trace",
  "execute 'declare trace cursor with hold for select 1'",
  "perform nextval('counter')",
  "execute 'deallocate all'",
  "execute 'deallocate butterbase_settings'",
  ...["begin", "settings", "commit", "reset", "close", "unlisten", "temp", "sequences"].map((name) =>
    `execute 'deallocate butterbase_${name}'; perform set_config('app.secret', 'ada''s', false);
    execute 'prepare butterbase_${name}${name === "settings" ? "(text, text)" : ""} as select 1'`
  ),
  "create operator = (leftarg = name, rightarg = text, function = never);" +
  " execute 'prepare trace as select 1'; set search_path = public, pg_catalog",
];

const look =
  `select current_user_id(), current_setting('search_path'), current_setting('app.secret', true) is not distinct
  from 'ada''s', current_setting('timezone'), current_setting('transaction_read_only'),
  current_setting('transaction_isolation'), to_regclass('pg_temp.trace'),
  (select count(*) from pg_prepared_statements where from_sql), (select count(*) from pg_cursors where name = 'trace'),
  (select count(*) from pg_listening_channels()), pg_try_advisory_xact_lock(42)`;
const clean = ["bob", "public", "f", "UTC", "off", "read committed", null, "0", "0", "0", "t"];

Deno.test("what a function hidden in a plain query leaves behind does not reach the next", async () => {
  await using app = await openTestApp({ appConnections: 4 });
  await app.run(
    serviceIdentity,
    `create sequence counter; create function never(name, text) returns boolean language sql return false`,
  );
  for (const body of hidden) {
    const who = body.startsWith("create operator") ? serviceIdentity : ada;
    await app.run(
      serviceIdentity,
      `create or replace function hidden() returns int language plpgsql as $$ begin ${body}; return 1; end $$`,
    );
    // With the transaction committed, and with it rolled back after the trace was left.
    for (
      const text of [
        "select hidden()",
        "select hidden(), 1 / (hidden() - 1)",
        "select hidden() where $1 = 'x'",
      ]
    ) {
      await app.run(who, text, text.includes("$1") ? ["x"] : []).catch(() => {});
      await settled(app);
      for (let round = 0; round < 3; round++) {
        assert.deepEqual(await app.run(bob, look), [clean], `${text}: ${body}`);
      }
      await assert.rejects(app.run(bob, "select lastval()"), { code: "55000" });
    }
    assert.deepEqual(
      await app.run(serviceIdentity, look.replace("current_user_id()", "'bob'")),
      [clean],
      body,
    );
  }
});

Deno.test("a session whose statements a function dropped serves no one, and the next query gets another", async () => {
  await using app = await openTestApp();
  await app.run(
    serviceIdentity,
    "create function drop_all() returns int language plpgsql as $$ begin execute 'deallocate all'; return 1; end $$",
  );
  await assert.rejects(app.run(ada, "select drop_all()"), { name: "QueryError", code: "26000" });
  await settled(app);
  // What is left is the service's own.
  assert.equal(app.apps.stats().open, 1);
  assert.deepEqual(await app.run(bob, "select current_user_id()"), [["bob"]]);
});

Deno.test("columns that are remembered follow their table, and a failure at commit is the statement's", async () => {
  await using app = await openTestApp();
  await app.run(
    serviceIdentity,
    `create table t (id int primary key, up int references t deferrable initially deferred);
    insert into t values (1, null)`,
  );
  const all = { text: "select * from t where id = $1", parameters: ["1"] };
  const names = async () =>
    (await app.apps.query(app.name, serviceIdentity, all)).columns.map(({ name, type }) => `${name} ${type}`);
  for (let round = 0; round < 3; round++) assert.deepEqual(await names(), ["id 23", "up 23"]);
  await app.run(serviceIdentity, "alter table t rename column up to parent");
  for (let round = 0; round < 3; round++) assert.deepEqual(await names(), ["id 23", "parent 23"]);
  await app.run(serviceIdentity, "alter table t alter column id type int8");
  for (let round = 0; round < 3; round++) assert.deepEqual(await names(), ["id 20", "parent 23"]);

  await assert.rejects(app.run(serviceIdentity, "insert into t values ($1, $2)", ["2", "7"]), {
    code: "23503",
  });
  assert.deepEqual(await app.run(serviceIdentity, "select count(*) from t"), [["1"]]);
});

Deno.test("a long statement, which is not kept, is cleaned up after like the others", async () => {
  await using app = await openTestApp({ appConnections: 4 });
  const long = `select set_config('app.secret', 'ada''s', false) -- ${"x".repeat(9000)}`;
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(await app.run(ada, long), [["ada's"]]);
    assert.deepEqual(await app.run(bob, look), [clean]);
    await assert.rejects(app.run(ada, long.replace("select", "select 1 / 0,")), { code: "22012" });
    assert.deepEqual(await app.run(bob, look), [clean]);
  }
});

/** Sessions that had to be cleaned go back to the pool shortly after their answers. */
async function settled(app: TestApp): Promise<void> {
  const until = performance.now() + 3000;
  while (app.apps.stats().leased > 0) {
    assert.ok(performance.now() < until, "a session did not come back");
    await new Promise((done) => setTimeout(done, 5));
  }
}
