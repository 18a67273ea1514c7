// What stops an apply on its way, what it waits for, and what it leaves then: nothing.

import assert from "node:assert/strict";
import { openSchemaApp } from "./harness/schema_app.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const column = (fields: object) => ({ t: { columns: { c: { type: "int", ...fields } } } });
const broken: [string, object, Record<string, unknown>][] = [
  ["an unknown type", column({ type: "mystery" }), { pg_code: "42704", column: "c" }],
  ["a default of another type", column({ default: "'x'::bytea" }), { pg_code: "42804", column: "c" }],
  ["a function that is not there", column({ default: "nothing_of_the_kind()" }), {
    pg_code: "42883",
    column: "c",
  }],
  ["another column in a default", column({ default: "c + 1" }), { pg_code: "0A000", column: "c" }],
  ["a parameter in a default", column({ default: "$1" }), { pg_code: "42P02", column: "c" }],
  ["a subquery in a check", { t: { columns: {}, checks: { k: "exists (select 1)" } } }, { pg_code: "0A000" }],
  ["a check of a column that is not there", { t: { columns: {}, checks: { k: "gone > 0" } } }, {
    pg_code: "42703",
  }],
  ["a reference to a column without a key", {
    t: { columns: { a: { type: "int" }, b: { type: "int", references: "t.a" } } },
  }, { pg_code: "42830" }],
  ["a reference of another type", {
    t: { columns: { a: { type: "int", primaryKey: true }, b: { type: "uuid", references: "t.a" } } },
  }, { pg_code: "42804" }],
  ["two indexes of one name", {
    t: { columns: { a: { type: "int" } }, indexes: { i: { columns: ["a"] } } },
    u: { columns: { a: { type: "int" } }, indexes: { i: { columns: ["a"] } } },
  }, { pg_code: "42P07" }],
];

for (const [what, tables, details] of broken) {
  Deno.test(`apply answers SCHEMA_MIGRATION_FAILED for ${what}, naming table and column, and leaves nothing`, async () => {
    const app = await openSchemaApp(p);
    const { status, body } = await app.apply({ before: { columns: {} }, ...tables });
    assert.deepEqual([status, body.error.code], [400, "SCHEMA_MIGRATION_FAILED"], JSON.stringify(body));
    const found = body.error.details;
    assert.equal(found.severity, "ERROR");
    for (const [key, value] of Object.entries({ ...details, table: found.table })) {
      assert.equal(found[key], value);
    }
    assert.match(body.error.message, /table "[tu]"|"[tu]"/);
    assert.deepEqual(await app.tables(), {});
    assert.deepEqual(await app.history(), []);
  });
}

Deno.test('a table without row-level security is closed, "rls": false opens it with a warning, and true closes it again', async () => {
  const app = await openSchemaApp(p);
  const notes = (rls?: boolean) => ({
    notes: { columns: { n: { type: "int" } }, ...(rls === undefined ? {} : { rls }) },
  });
  const url = await p.deploy(
    app.id,
    "count",
    "export default async (r, ctx) => Response.json((await ctx.db.query('select 1 from notes')).rowCount)",
  );
  const asAnyone = async () => (await p.request("GET", url, { key: null })).status;
  assert.equal((await app.apply(notes())).status, 200);
  assert.equal(await asAnyone(), 500);
  for (const dry_run of [true, false, false]) {
    const { body } = await app.apply(notes(false), { dry_run });
    assert.match(body.warnings.join(), /"notes" has no row-level security and is open/);
  }
  assert.equal(await asAnyone(), 200);
  assert.deepEqual((await app.tables()).notes, {
    ...notes(false).notes,
    columns: { n: { type: "integer" } },
  });
  assert.equal((await app.apply(notes(true))).body.applied, 2);
  assert.equal(await asAnyone(), 200, "row-level security without a policy shows no row, and is no error");
  assert.equal((await app.apply(notes(true))).body.applied, 0);
  const off = await app.apply(notes(false), { dry_run: true });
  assert.equal(off.body.statements[0].destructive, true);
});

Deno.test("NOT NULL over a million rows without a value says how many they are, and a default fills them", async () => {
  const app = await openSchemaApp(p);
  const big = (columns: object) => ({ big: { columns: { id: { type: "int" }, ...columns } } });
  await app.apply(big({ maybe: { type: "int" } }));
  await app.asOwner((sql) =>
    sql`insert into big select i, nullif(i % 2, 0) from generate_series(1, 1000000) i`
  );
  const added = await app.apply(big({ maybe: { type: "int" }, extra: { type: "text", nullable: false } }));
  assert.deepEqual([added.status, added.body.error.code], [400, "SCHEMA_MIGRATION_FAILED"]);
  assert.deepEqual(added.body.error.details, {
    pg_code: "23502",
    severity: "ERROR",
    table: "big",
    column: "extra",
    existing_row_count: 1_000_000,
  });
  assert.match(added.body.error.message, /column "extra" to table "big".*1000000 rows/);
  const strict = await app.apply(big({ maybe: { type: "int", nullable: false } }));
  assert.equal(strict.body.error.details.existing_row_count, 500_000);
  const filled = await app.apply(
    big({ maybe: { type: "int" }, extra: { type: "text", nullable: false, default: "''" } }),
  );
  assert.equal(filled.status, 200);
});

Deno.test("two appliers at once do one document once", async () => {
  const app = await openSchemaApp(p);
  const tables = {
    a: { columns: { id: { type: "serial", primaryKey: true } }, indexes: { by_id: { columns: ["id"] } } },
  };
  const answers = await Promise.all(Array.from({ length: 6 }, () => app.apply(tables)));
  assert.deepEqual(answers.map(({ status }) => status), Array(6).fill(200));
  assert.equal(answers.filter(({ body }) => body.applied > 0).length, 1);
  assert.equal((await app.history()).length, 1);
});

Deno.test("apply while a function holds the table says what holds it, and works when that has ended", async () => {
  const app = await openSchemaApp(p);
  const tables = (columns: object) => ({ first: { columns }, busy: { columns } });
  await app.apply(tables({ id: { type: "int" } }));
  const url = await p.deploy(
    app.id,
    "hold",
    `export default (r, ctx) => ctx.db.asService(async (db) => {
      await db.query("insert into busy values (1)");
      await db.query("select pg_sleep(30)");
      return new Response();
    })`,
    { timeoutMs: 60_000 },
  );
  const call = p.json("GET", url);
  await app.asOwner(async (sql) => {
    const sleeping = () =>
      sql`select 1 from pg_stat_activity where datname = ${app.id} and query like 'select pg_sleep%'`;
    while ((await sleeping()).length === 0) await new Promise((done) => setTimeout(done, 20));
  });
  const wanted = tables({ id: { type: "int" }, more: { type: "int" } });
  const { status, body, headers } = await app.apply(wanted);
  assert.deepEqual([status, body.error.code], [409, "SCHEMA_LOCKED"]);
  assert.ok(headers.has("retry-after"));
  assert.match(body.error.message, /table "busy" is in use: a transaction of butterbase_service.*pg_sleep/);
  assert.equal(body.error.details.held_by[0].role, "butterbase_service");
  assert.deepEqual(
    Object.keys((await app.tables()).first.columns),
    ["id"],
    "the steps before it are undone",
  );
  await app.asOwner(async (sql) => {
    await sql`select pg_cancel_backend(pid) from pg_stat_activity
      where datname = ${app.id} and query like 'select pg_sleep%'`;
    const held = () =>
      sql`select 1 from pg_locks where relation = 'busy'::regclass and pid <> pg_backend_pid()`;
    while ((await held()).length > 0) await new Promise((done) => setTimeout(done, 20));
  });
  assert.equal((await call).status, 500);
  assert.equal((await app.apply(wanted)).status, 200);
});

Deno.test("an apply whose connection dies in the middle leaves nothing, and can be done again", async () => {
  const app = await openSchemaApp(p);
  const tables = (columns: object) => ({ first: { columns }, busy: { columns } });
  await app.apply(tables({ id: { type: "int" } }));
  const wanted = tables({ id: { type: "int" }, more: { type: "int" } });
  await app.asOwner(async (sql) => {
    const blocker = await sql.reserve();
    await blocker`begin`;
    await blocker`lock table busy`;
    const applying = app.apply(wanted);
    const waiting = () =>
      sql`select pid from pg_stat_activity where datname = ${app.id} and wait_event_type = 'Lock' and query like 'alter table%busy%'`;
    let pids = await waiting();
    for (; pids.length === 0; pids = await waiting()) await new Promise((done) => setTimeout(done, 10));
    await sql`select pg_terminate_backend(${pids[0]?.["pid"]})`;
    const { status, body } = await applying;
    assert.deepEqual([status, body.error.code], [500, "EXTERNAL_DB_ERROR"]);
    assert.match(body.error.remediation, /apply it again/);
    await blocker`rollback`;
    blocker.release();
  });
  assert.deepEqual(Object.keys((await app.tables()).first.columns), ["id"]);
  assert.equal((await app.history()).length, 1);
  const again = await app.apply(wanted);
  assert.deepEqual([again.status, again.body.applied], [200, 2]);
});

Deno.test("the history can be added to by the app's own SQL, and not changed", async () => {
  const app = await openSchemaApp(p);
  await app.apply({ t: { columns: {} } }, { name: "kept" });
  const url = await p.deploy(
    app.id,
    "rewrite",
    `export default async (r, ctx) => {
      const refused = [];
      for (const sql of ["delete from butterbase.migrations", "update butterbase.migrations set description = 'x'",
        "truncate butterbase.migrations", "drop table butterbase.migrations"]) {
        await ctx.db.asService((db) => db.query(sql)).catch((error) => refused.push(error.code));
      }
      return Response.json(refused);
    }`,
  );
  assert.deepEqual(await (await p.request("GET", url)).json(), Array(4).fill("42501"));
  assert.equal((await app.history())[0].description, "kept");
});
