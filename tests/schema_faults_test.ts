// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// What an apply refuses to read, and that no text of a document reaches beyond its place.

import assert from "node:assert/strict";
import { openSchemaApp } from "./harness/schema_app.ts";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const column = (fields: object) => ({ t: { columns: { c: { type: "int", ...fields } } } });
const deep = JSON.parse("[".repeat(50) + "]".repeat(50));

/** Documents with the path of their fault. */
const faults: [string, unknown, string][] = [
  ["no tables", undefined, "tables"],
  ["tables as a list", [], "tables"],
  ["a table as a text", { t: "x" }, "tables.t"],
  ["no columns", { t: {} }, "tables.t.columns"],
  ["columns as a list", { t: { columns: [] } }, "tables.t.columns"],
  ["a column without a type", { t: { columns: { c: {} } } }, "tables.t.columns.c.type"],
  ["an unknown key of a column", column({ primary_key: true }), "tables.t.columns.c.primary_key"],
  [
    "an unknown key of a reference",
    column({ references: { table: "t", column: "c", on: 1 } }),
    "tables.t.columns.c.references.on",
  ],
  ["nullable as a text", column({ nullable: "no" }), "tables.t.columns.c.nullable"],
  ["an object as default", column({ default: {} }), "tables.t.columns.c.default"],
  ["50 levels of JSON as default", column({ default: deep }), "tables.t.columns.c.default"],
  ["50 levels of JSON as a table", { t: deep }, "tables.t"],
  [
    "an unknown action",
    column({ references: { table: "t", column: "c", onDelete: "cascade" } }),
    "tables.t.columns.c.references.onDelete",
  ],
  ["an unknown type that looks like serial", column({ type: "bigserial8 x" }), "tables.t.columns.c.type"],
  ["an integer that JSON does not carry", column({ default: 2 ** 53 + 2 }), "tables.t.columns.c.default"],
  ["a reference without a column", column({ references: "t" }), "tables.t.columns.c.references"],
  [
    "a table referred to that is not there",
    column({ references: "gone.id" }),
    "tables.t.columns.c.references",
  ],
  [
    "a column referred to that is not there",
    column({ references: "t.gone" }),
    "tables.t.columns.c.references",
  ],
  [
    "an unknown index method",
    { t: { columns: {}, indexes: { i: { columns: ["c"], method: "tree" } } } },
    "tables.t.indexes.i.method",
  ],
  ["an index without columns", { t: { columns: {}, indexes: { i: {} } } }, "tables.t.indexes.i.columns"],
  [
    "a key of columns that are not there",
    { t: { columns: {}, primaryKey: ["gone"] } },
    "tables.t.primaryKey",
  ],
  [
    "two different keys",
    { t: { columns: { a: { type: "int", primary: true } }, primaryKey: ["b"] } },
    "tables.t.primaryKey",
  ],
  [
    "a column kept and dropped",
    { t: { columns: { a: { type: "int" } }, _dropColumns: ["a"] } },
    "tables.t._dropColumns",
  ],
  [
    "a serial column with a default",
    { t: { columns: { a: { type: "serial", default: "1" } } } },
    "tables.t.columns.a.default",
  ],
  ["an upper-case table", { Orders: { columns: {} } }, "tables.Orders"],
  ["a quoted table", { '"a"': { columns: {} } }, 'tables."a"'],
  ["a table in unicode", { "tàble": { columns: {} } }, "tables.tàble"],
  ["an empty name", { "": { columns: {} } }, "tables."],
  ["a column that begins with a digit", { t: { columns: { "1a": { type: "int" } } } }, "tables.t.columns.1a"],
  ["a table of 64 bytes", { ["t".repeat(64)]: { columns: {} } }, `tables.${"t".repeat(64)}`],
  [
    "a column of 64 bytes",
    { t: { columns: { ["c".repeat(64)]: { type: "int" } } } },
    `tables.t.columns.${"c".repeat(64)}`,
  ],
  [
    "an index of 64 bytes",
    { t: { columns: {}, indexes: { ["i".repeat(64)]: { columns: ["c"] } } } },
    `tables.t.indexes.${"i".repeat(64)}`,
  ],
  [
    "51 tables",
    Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`t${at}`, { columns: {} }])),
    "tables",
  ],
  ...["functions", "schema", "audit-logs", "_idempotency_keys", "_ai_migrations"].map(
    (
      name,
    ): [string, unknown, string] => [
      `the reserved name ${name}`,
      { [name]: { columns: {} } },
      `tables.${name}`,
    ],
  ),
];

for (const [what, tables, path] of faults) {
  Deno.test(`apply answers 400 for ${what}, naming ${path.slice(0, 60)}`, async () => {
    const app = await openSchemaApp(p);
    const { status, body } = await app.apply(tables);
    assert.deepEqual([status, body.error.code], [400, "VALIDATION_INVALID_SCHEMA"], JSON.stringify(body));
    assert.ok(body.error.message.includes(path), body.error.message);
    const paths = body.error.details.map((issue: any) => issue.path.join("."));
    assert.ok(paths.includes(path), paths.join(" "));
    assert.ok(body.error.details.every((issue: any) => issue.code && issue.message));
    assert.deepEqual(await app.tables(), {});
  });
}

const evil = "1); drop table victim; --";
const evils = [
  evil,
  "1), add column stolen int default (2",
  "c > 0); drop table victim; --",
  "c > 0), add column stolen int check (true",
  "a + 1) stored, add column stolen int default (2",
  "int, add column stolen int",
  "1; drop table victim",
  "1) from victim where (true",
  "x'); drop table victim; --",
  "int; drop table victim",
  "1 /*",
  "$$",
  '"); drop table victim; --',
  "select 1; commit; drop table victim",
];

/** Documents that have the text in each place that takes one. */
const places: Readonly<Record<string, (text: string) => object>> = {
  "table name": (text) => ({ [text]: { columns: {} } }),
  "column name": (text) => ({ t: { columns: { [text]: { type: "int" } } } }),
  type: (text) => ({ t: { columns: { c: { type: text } } } }),
  default: (text) => ({ t: { columns: { c: { type: "int", default: text } } } }),
  generated: (text) => ({ t: { columns: { a: { type: "int" }, c: { type: "int", generated: text } } } }),
  check: (text) => ({ t: { columns: { c: { type: "int" } }, checks: { k: text } } }),
  "check name": (text) => ({ t: { columns: { c: { type: "int" } }, checks: { [text]: "c > 0" } } }),
  reference: (text) => ({ t: { columns: { c: { type: "int", references: `victim.${text}` } } } }),
  "referenced table": (text) => ({
    t: { columns: { c: { type: "int", references: { table: text, column: "id" } } } },
  }),
  action: (text) => ({
    t: { columns: { c: { type: "int", references: { table: "victim", column: "id", onDelete: text } } } },
  }),
  "index name": (text) => ({
    t: { columns: { c: { type: "int" } }, indexes: { [text]: { columns: ["c"] } } },
  }),
  "index column": (text) => ({ t: { columns: { c: { type: "int" } }, indexes: { i: { columns: [text] } } } }),
  opclass: (text) => ({
    t: { columns: { c: { type: "int" } }, indexes: { i: { columns: ["c"], opclass: text } } },
  }),
  predicate: (text) => ({
    t: { columns: { c: { type: "int" } }, indexes: { i: { columns: ["c"], where: text } } },
  }),
  key: (text) => ({ t: { columns: { c: { type: "int" } }, primaryKey: [text] } }),
  unique: (text) => ({ t: { columns: { c: { type: "int" } }, uniques: [[text]] } }),
};

for (const [place, document] of Object.entries(places)) {
  Deno.test(`no text as ${place} reaches beyond its place`, async () => {
    const app = await openSchemaApp(p);
    const victim = { victim: { columns: { id: { type: "int", primaryKey: true } } } };
    assert.equal((await app.apply(victim)).status, 200);
    for (const text of evils) {
      for (const dry_run of [true, false]) {
        const { status, body } = await app.apply({ ...victim, ...document(text) }, { dry_run });
        assert.equal(status, 400, `${text}: ${JSON.stringify(body)}`);
        assert.ok(["VALIDATION_INVALID_SCHEMA", "SCHEMA_MIGRATION_FAILED"].includes(body.error.code));
      }
    }
    assert.deepEqual(Object.keys(await app.tables()), ["victim"]);
    // A drop by such a name finds nothing to drop; a label is only text.
    const label = await p.json("POST", `/v1/${app.id}/schema/apply`, {
      body: { schema: { tables: { t: { columns: {} } }, _drop: evils }, name: evil },
    });
    assert.equal(label.status, 200);
    assert.deepEqual(Object.keys(await app.tables()), ["t", "victim"]);
  });
}

Deno.test("bodies that are none: 400 each, with the field", async () => {
  const app = await openSchemaApp(p);
  const path = `/v1/${app.id}/schema/apply`;
  const bodies: [unknown, string][] = [
    [{}, "schema"],
    [{ schema: "x" }, "schema"],
    [{ schema: { tables: {} }, dry_run: "yes" }, "dry_run"],
    [{ schema: { tables: {} }, name: 7 }, "name"],
  ];
  for (const [body, field] of bodies) {
    const answer = await p.json("POST", path, { body: body as object });
    assert.deepEqual([answer.status, answer.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
    assert.deepEqual(answer.body.error.details[0].path, [field]);
  }
  for (const body of ["", "{", '{"schema": {"tables": {"__proto__": {}}}}', '{"schema": "\\u0000"}']) {
    const answer = await p.json("POST", path, { body, headers: { "content-type": "application/json" } });
    assert.deepEqual([answer.status, answer.body.error.code], [400, "REQUEST_ERROR"]);
  }
});

Deno.test("the schema's routes answer the app's owner and the operator, and nobody else", async () => {
  const owner = await p.addAccount();
  const stranger = await p.addAccount();
  const app = await p.createApp({ key: owner });
  const token = await p.userToken(app, crypto.randomUUID());
  for (
    const [method, path] of [["GET", "schema"], ["POST", "schema/apply"], ["GET", "migrations"]] as const
  ) {
    const body = method === "POST" ? { body: { schema: { tables: {} } } } : {};
    const statusFor = async (key: string | null) =>
      (await p.json(method, `/v1/${app}/${path}`, { key, ...body })).status;
    assert.deepEqual(
      [
        await statusFor(owner),
        await statusFor(ownerKey),
        await statusFor(stranger),
        await statusFor(token),
        await statusFor(null),
      ],
      [200, 200, 404, 401, 401],
      path,
    );
    assert.equal((await p.json(method, `/v1/app_000000000000/${path}`, body)).status, 404);
  }
});
