// The declarative schema over HTTP: what a document makes, what is shown of it, and that applying it again does nothing.

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
  users: {
    columns: {
      id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
      email: { type: "text", unique: true, nullable: false },
    },
  },
  orders: {
    columns: {
      id: { type: "bigserial", primaryKey: true },
      user_id: { type: "uuid", references: { table: "users", column: "id", onDelete: "CASCADE" } },
      total: { type: "numeric(10, 2)", nullable: false, default: 0 },
      paid: { type: "bool", default: false },
      status: { type: "varchar(20)", default: "'new'" },
      tags: { type: "text[]", default: "'{}'" },
      data: { type: "JSONB" },
      at: { type: "timestamptz", default: "now()" },
    },
    indexes: {
      orders_by_user: { columns: ["user_id", "at"] },
      orders_data: { columns: ["data"], method: "gin", opclass: "jsonb_path_ops" },
    },
    checks: { orders_total: "total >= 0", orders_status: "status in ('new', 'sent')" },
    rls: true,
  },
};

Deno.test("apply makes tables, keys, checks, indexes and access, and answers each statement and the migration's id", async () => {
  const app = await openSchemaApp(p);
  const dry = await app.done(shop, { dry_run: true });
  assert.equal(dry.dry_run, true);
  assert.equal(dry.applied, dry.statements.length);
  assert.deepEqual((await app.schema()).schema, { tables: {} }, "a dry run changes nothing");

  const body = await app.done(shop, { name: "first" });
  assert.deepEqual(statementsOf(body), statementsOf(dry), "the dry run shows exactly what is run");
  assert.equal(body.applied, body.statements.length);
  assert.equal(typeof body.migration_id, "number");
  assert.ok(!("message" in body));

  await app.sql("insert into users (email) values ('a@example.com')");
  await app.sql("insert into orders (user_id, total) select id, 3 from users");
  await assert.rejects(app.sql("insert into orders (total) values (-1)"), { code: "23514" });
  await assert.rejects(app.sql("insert into users (email) values ('a@example.com')"), { code: "23505" });
  await app.sql("delete from users");
  assert.equal((await app.sql("select * from orders")).length, 0);

  const { body: history } = await p.json("GET", `/v1/${app.id}/migrations`);
  assert.equal(history.app_id, app.id);
  assert.deepEqual(history.template_migrations, []);
  assert.equal(history.migrations.length, 1);
  const [entry] = history.migrations;
  assert.deepEqual([entry.id, entry.description], [body.migration_id, "first"]);
  assert.ok(statementsOf(body).every((sql) => entry.applied_sql.includes(sql)));
  assert.match(entry.applied_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

Deno.test("GET schema renders the language, and the same document and what GET answers do nothing when applied again", async () => {
  const app = await openSchemaApp(p);
  await app.done(shop);
  for (const dry_run of [false, true]) {
    const again = await app.done(shop, { dry_run });
    assert.deepEqual([again.applied, again.statements], [0, []], JSON.stringify(again.statements));
    assert.equal(typeof again.message, "string");
  }
  const { schema, api_base, _meta, app_id } = await app.schema();
  assert.equal(app_id, app.id);
  assert.equal(api_base, `${p.origin}/v1/${app.id}`);
  assert.deepEqual(_meta.resource_info, { table_count: 2, tables: ["orders", "users"] });
  assert.deepEqual(schema.tables.users, {
    columns: {
      id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
      email: { type: "text", nullable: false, unique: true },
    },
  });
  assert.deepEqual(schema.tables.orders.columns.user_id, {
    type: "uuid",
    references: { table: "users", column: "id", onDelete: "CASCADE" },
  });
  assert.deepEqual(schema.tables.orders.columns.id, { type: "bigserial", primaryKey: true });
  assert.equal(schema.tables.orders.rls, true);
  assert.deepEqual(schema.tables.orders.indexes, {
    orders_by_user: { columns: ["user_id", "at"] },
    orders_data: { columns: ["data"], method: "gin", opclass: "jsonb_path_ops" },
  });
  const again = await app.done(schema.tables);
  assert.deepEqual(again.statements, []);
  assert.equal((await p.json("GET", `/v1/${app.id}/migrations`)).body.migrations.length, 1);
});

const spellings =
  `text varchar char uuid boolean bool integer int int4 bigint int8 smallint int2 real float4 float8
  decimal numeric timestamptz timestamp date time timetz interval jsonb json bytea inet citext_free`.split(
    /\s+/,
  )
    .filter((type) => type !== "citext_free").concat([
      "double precision",
      "varchar(7)",
      "char(3)",
      "numeric(8)",
      "numeric(8, 2)",
      "DECIMAL( 8 ,2 )",
      "text[]",
      "int4[]",
      "Integer[]",
      "varchar(5)[]",
      "jsonb[]",
      "timestamp(3) with time zone",
      "serial",
      "BigSerial",
      "smallserial",
      "serial8",
    ]);

Deno.test("every spelling of a type is taken, and does nothing when it is applied again", async () => {
  const app = await openSchemaApp(p);
  const columns = Object.fromEntries(spellings.map((type, at) => [`c${at}`, { type }]));
  await app.done({ many: { columns } });
  assert.deepEqual((await app.done({ many: { columns } })).statements, []);
  assert.deepEqual((await app.done((await app.schema()).schema.tables)).statements, []);
});

const defaults: [string, unknown][] = [
  ["integer", -1],
  ["integer", "-1"],
  ["integer", "1 + 1"],
  ["numeric(6,2)", 1.5],
  ["boolean", false],
  ["boolean", "FALSE"],
  ["text", "'it''s; a \\ \"text\"'"],
  ["text", "$$dollar$$"],
  ["text", "E'\\n'"],
  ["text", "concat('a', 'b') -- why"],
  ["varchar(9)", "'x'"],
  ["text[]", "'{}'"],
  ["text[]", "ARRAY[]::text[]"],
  ["text[]", "array['a'::varchar, 'b']"],
  ["jsonb", "'{\"a\": [1]}'"],
  ["timestamptz", "CURRENT_TIMESTAMP"],
  ["timestamp", "(now() at time zone 'utc')"],
  ["date", "'2024-02-29'"],
  ["interval", "'1 day'"],
  ["uuid", "gen_random_uuid()"],
  ["text", "current_user_id()"],
  ["bigint", "9223372036854775807"],
  ["text", null],
];

Deno.test("every spelling of a default is taken, and does nothing when it is applied again", async () => {
  const app = await openSchemaApp(p);
  const columns = Object.fromEntries(
    defaults.map(([type, value], at) => [`c${at}`, { type, default: value }]),
  );
  await app.done({ many: { columns } });
  await app.sql("insert into many default values");
  assert.deepEqual((await app.done({ many: { columns } })).statements, []);
  assert.deepEqual((await app.done((await app.schema()).schema.tables)).statements, []);
});

Deno.test("both spellings of the reference are taken: primary and primaryKey, _drop as a list and as a flag", async () => {
  const app = await openSchemaApp(p);
  const columns = { id: { type: "int", primary: true, nullable: false } };
  await app.done({ one: { columns }, two: { columns }, three: { columns } });
  assert.deepEqual((await app.schema()).schema.tables.one, {
    columns: { id: { type: "integer", primaryKey: true } },
  });
  await app.done({ two: { _drop: true }, three: { columns } }, { _drop: ["one", "never_was"] });
  assert.deepEqual((await app.schema())._meta.resource_info.tables, ["three"]);
  const again = await app.done({ two: { _drop: true } }, { _drop: ["one"] });
  assert.deepEqual(again.statements, []);
});

Deno.test("tables that SQL has made, whatever they are named and made of, are shown so that applying it does nothing", async () => {
  const app = await openSchemaApp(p);
  await app.sql(`create type mood as enum ('sad', 'ok');
    create table "Odd ""name"" é.x" ("Ünï" int primary key, "__proto__" mood default 'ok', "constructor" inet,
      n int generated always as identity, "select" text collate "C");
    create index "by lower" on "Odd ""name"" é.x" (lower("select"));
    create index desc_one on "Odd ""name"" é.x" (n desc) include ("select");
    create table functions (id serial, ref int references "Odd ""name"" é.x", check (ref > 0));
    create table "constructor" (); create table pgadmin (a int, b int, primary key (b, a));
    create view not_shown as select 1; create table parted (a int) partition by range (a)`);
  const { tables } = (await app.schema()).schema;
  assert.deepEqual(Object.keys(tables), ['Odd "name" é.x', "constructor", "functions", "parted", "pgadmin"]);
  // What a request's JSON may not hold as a key is left out of the document.
  delete tables['Odd "name" é.x'].columns["__proto__"];
  const body = await app.done(tables);
  assert.deepEqual(body.statements, []);
});

Deno.test("a database that a former program made is brought forward at the start", async () => {
  const app = await openSchemaApp(p);
  await app.done({ t: { columns: {} } });
  await app.asOwner((sql) => sql`drop table butterbase.migrations`);
  await p.sql`update platform_settings set value = 'former' where name = 'app_database_setup'`;
  await using _node = await startTestPlatform({}, { joining: p });
  const { status, body } = await p.json("GET", `/v1/${app.id}/migrations`);
  assert.deepEqual([status, body.migrations], [200, []]);
  assert.deepEqual((await app.schema())._meta.resource_info.tables, ["t"]);
});
