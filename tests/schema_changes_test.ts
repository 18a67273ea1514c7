// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// What a document does to tables that are there: what it names is changed and dropped, what it does not name stays.

import assert from "node:assert/strict";
import { openSchemaApp, statementsOf } from "./harness/schema_app.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const shop = {
  users: { columns: { id: { type: "int", primaryKey: true } } },
  orders: {
    columns: {
      id: { type: "bigserial", primaryKey: true },
      user_id: { type: "int", references: "users.id" },
      total: { type: "numeric(10, 2)", nullable: false, default: 0 },
      data: { type: "jsonb" },
    },
    indexes: { orders_by_user: { columns: ["user_id"] }, orders_data: { columns: ["data"], method: "gin" } },
    checks: { orders_total: "total >= 0" },
  },
};

Deno.test("what a document does not name is left alone and reported; what it names is dropped", async () => {
  const app = await openSchemaApp(p);
  await app.done(shop);
  const part = { orders: { columns: { note: { type: "text" } } } };
  const body = await app.done(part);
  assert.deepEqual(statementsOf(body), ['alter table public."orders" add column "note" text']);
  assert.match(body.warnings.join(), /table "users"/);
  for (
    const name of [
      'column "total" of "orders"',
      'check "orders_total"',
      'primary key of "orders"',
      "foreign key",
    ]
  ) {
    assert.ok(body.warnings.join().includes(name), `${name}: ${body.warnings}`);
  }
  const drop = {
    orders: {
      columns: {},
      indexes: {},
      _dropColumns: ["note", "gone"],
      _dropConstraints: ["orders_total", "fk_orders_user_id"],
    },
  };
  const dropped = await app.done(drop);
  assert.deepEqual(statementsOf(dropped).sort(), [
    'alter table public."orders" drop column "note"',
    'alter table public."orders" drop constraint "fk_orders_user_id"',
    'alter table public."orders" drop constraint "orders_total"',
    'drop index public."orders_by_user"',
    'drop index public."orders_data"',
  ]);
  assert.ok(dropped.statements.find(({ sql }: any) => sql.includes("drop column")).destructive);
  assert.deepEqual((await app.done(drop)).statements, []);
});

Deno.test("tables in a circle are made, and dropped together with the keys that refer to them", async () => {
  const app = await openSchemaApp(p);
  const circle = {
    a: { columns: { id: { type: "int", primaryKey: true }, b: { type: "int", references: "b.id" } } },
    b: {
      columns: {
        id: { type: "int", primaryKey: true },
        a: { type: "int", references: "a.id" },
        b: { type: "int", references: "b.id" },
      },
    },
    c: { columns: { a: { type: "int", references: "a.id" } } },
  };
  await app.done(circle);
  assert.deepEqual((await app.done(circle)).statements, []);
  const body = await app.done({}, { _drop: ["a", "b"] });
  assert.deepEqual(body.statements.map(({ destructive }: any) => destructive), [true, true]);
  assert.deepEqual((await app.schema()).schema.tables, { c: { columns: { a: { type: "integer" } } } });
});

Deno.test("composite keys, unique sets, composite foreign keys, computed columns and partial indexes", async () => {
  const app = await openSchemaApp(p);
  const tables = {
    places: {
      columns: { country: { type: "text", primaryKey: true }, city: { type: "text", primaryKey: true } },
    },
    folks: {
      columns: {
        first: { type: "text" },
        last: { type: "text" },
        country: { type: "text" },
        city: { type: "text" },
        both: { type: "text", generated: "first || ' ' || last" },
      },
      primaryKey: ["last", "first"],
      uniques: [["country", "last"]],
      foreignKeys: [{
        columns: ["country", "city"],
        table: "places",
        references: ["country", "city"],
        onUpdate: "CASCADE",
      }],
      indexes: { here: { columns: ["city"], unique: true, where: "country in ('ch', 'at')" } },
    },
  };
  await app.done(tables);
  assert.deepEqual((await app.done(tables)).statements, []);
  const view = (await app.schema()).schema.tables;
  assert.deepEqual((await app.done(view)).statements, []);
  assert.deepEqual([view.folks.primaryKey, view.places.primaryKey], [["last", "first"], [
    "country",
    "city",
  ]]);
  assert.deepEqual(view.folks.uniques, [["country", "last"]]);
  assert.deepEqual(view.folks.foreignKeys, tables.folks.foreignKeys);
  await app.sql("insert into places values ('ch', 'Bern')");
  await app.sql("insert into folks values ('A', 'B', 'ch', 'Bern')");
  assert.deepEqual(await app.sql('select "both" from folks'), [{ both: "A B" }]);
});

Deno.test("a type is changed only when it is asked for by name, and the values with it", async () => {
  const app = await openSchemaApp(p);
  const tables = (type: string, further = {}) => ({
    t: { columns: { n: { type, default: "'7'" }, kept: { type: "text" } }, ...further },
  });
  await app.done(tables("text"));
  await app.sql("insert into t values ('12')");
  for (const dry_run of [true, false]) {
    const { status, body } = await app.apply(tables("int"), { dry_run });
    assert.deepEqual([status, body.error.code], [409, "SCHEMA_DESTRUCTIVE_CHANGE"]);
    assert.equal(body.error.details.length, 1);
    assert.match(body.error.details[0], /column "n" of table "t" is text and would become integer/);
  }
  const asked = tables("int", { _changeTypes: ["n"] });
  const body = await app.done(asked);
  assert.ok(body.statements.some(({ sql, destructive }: any) => sql.includes("::integer") && destructive));
  assert.deepEqual(await app.sql("insert into t default values returning n"), [{ n: 7 }]);
  assert.deepEqual(await app.sql("select sum(n)::int as n from t"), [{ n: 19 }]);
  assert.deepEqual((await app.done(asked)).statements, []);

  const refused = await app.apply({
    t: { columns: { kept: { type: "int" } }, _changeTypes: ["kept", "other"] },
  });
  assert.equal(refused.body.error.code, "VALIDATION_INVALID_SCHEMA");
  await app.sql("update t set kept = 'not a number'");
  const failed = await app.apply({ t: { columns: { kept: { type: "int" } }, _changeTypes: ["kept"] } });
  assert.deepEqual([failed.status, failed.body.error.code], [400, "SCHEMA_MIGRATION_FAILED"]);
  assert.deepEqual(
    [failed.body.error.details.pg_code, failed.body.error.details.table, failed.body.error.details.column],
    ["22P02", "t", "kept"],
  );
});

Deno.test("an integer becomes serial behind its largest value, and back, when it is asked for", async () => {
  const app = await openSchemaApp(p);
  const tables = (type: string) => ({
    t: { columns: { id: { type, nullable: false } }, _changeTypes: ["id"] },
  });
  await app.done(tables("int"));
  await app.sql("insert into t values (41)");
  for (const type of ["serial", "bigserial"]) {
    await app.done(tables(type));
    assert.deepEqual((await app.done(tables(type))).statements, []);
  }
  assert.deepEqual(await app.sql("insert into t default values returning id::int"), [{ id: 42 }]);
  await app.done(tables("bigint"));
  assert.deepEqual((await app.done(tables("bigint"))).statements, []);
  await assert.rejects(app.sql("insert into t default values"), { code: "23502" });
  assert.deepEqual(
    await app.sql("select relname from pg_class where relkind = 'S' and relname like 't\\_%'"),
    [],
  );
});

Deno.test("another primary key is refused, and so is computing a column that was not", async () => {
  const app = await openSchemaApp(p);
  const columns = { a: { type: "int" }, b: { type: "int", nullable: false } };
  await app.done({ t: { columns, primaryKey: ["a"] } });
  const key = await app.apply({ t: { columns, primaryKey: ["a", "b"] } });
  assert.deepEqual([key.status, key.body.error.code], [409, "SCHEMA_DESTRUCTIVE_CHANGE"]);
  const computed = await app.apply({
    t: { columns: { ...columns, b: { type: "int", generated: "a + 1" } }, _changeTypes: ["b"] },
  });
  assert.deepEqual([computed.status, computed.body.error.code], [409, "SCHEMA_DESTRUCTIVE_CHANGE"]);
});
