// POST /v1/{app}/secure: the app's data is for signed-in users, and each of the named tables shows them their own rows.

import assert from "node:assert/strict";
import { TestUsers } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { openSchemaApp, type SchemaApp } from "./harness/schema_app.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_AUTH_LIMITS: "off" });
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const columns = {
  id: { type: "bigserial", primaryKey: true },
  user_id: { type: "text" },
  title: { type: "text" },
  shown: { type: "boolean", nullable: false, default: false },
};

async function openApp(): Promise<SchemaApp> {
  const app = await openSchemaApp(p);
  await app.done({ notes: { columns }, files: { columns }, closed: { columns } });
  return app;
}

const secure = (app: SchemaApp, body?: object | string) =>
  p.json("POST", `/v1/${app.id}/secure`, body === undefined ? {} : { body });
const modeOf = async (app: SchemaApp) => (await p.json("GET", `/v1/${app.id}/config`)).body.access_mode;

Deno.test("secure turns anonymous callers away, and shows each user their own rows of the named tables", async () => {
  const app = await openApp();
  const users = new TestUsers(p, app.id);
  const [ada, bob] = [await users.signedIn(), await users.signedIn()];
  const titles = async (bearer: string | null, table = "notes") => {
    const { status, body } = await p.json("GET", `/v1/${app.id}/${table}?order=title`, { key: bearer });
    return status === 200 ? body.map(({ title }: { title: string }) => title) : [status, body.error.code];
  };
  assert.deepEqual(await titles(null), [403, "RLS_NOT_ENABLED"]);

  const { status, body } = await secure(app, {
    tables: [
      { table_name: "notes", user_column: "user_id" },
      { table_name: "files", user_column: "user_id", public_read_column: "shown" },
    ],
  });
  const { message, ...rest } = body;
  assert.equal(typeof message, "string");
  assert.deepEqual([status, rest], [200, {
    app_id: app.id,
    access_mode: "authenticated",
    tables_secured: [
      { table: "notes", policy: "notes_user_isolation" },
      {
        table: "files",
        policy: "files_user_isolation",
        public_read_policies: ["files_public_read_user", "files_public_read_anon"],
      },
    ],
  }]);
  assert.equal(await modeOf(app), "authenticated");

  for (const [user, title] of [[ada, "of Ada"], [bob, "of Bob"]] as const) {
    for (const table of ["notes", "files"]) {
      const path = `/v1/${app.id}/${table}`;
      const made = await p.json("POST", path, { key: user.access_token, body: { title } });
      assert.deepEqual([made.status, made.body.user_id], [201, user.user.id]);
    }
  }
  await p.json("PATCH", `/v1/${app.id}/files?title=eq.of Ada`, { body: { shown: true } });
  assert.deepEqual(await titles(ada.access_token), ["of Ada"]);
  assert.deepEqual(await titles(bob.access_token), ["of Bob"]);
  assert.deepEqual(await titles(bob.access_token, "files"), ["of Ada", "of Bob"]);
  assert.deepEqual(await titles(ada.access_token, "closed"), [403, "RLS_NOT_ENABLED"]);
  assert.deepEqual(await titles(null), [401, "AUTH_REQUIRED"]);
  assert.deepEqual(await titles(null, "files"), [401, "AUTH_REQUIRED"]);
});

Deno.test("a table that cannot be secured is named with what is wrong, and holds up neither the others nor the app", async () => {
  const app = await openApp();
  const { status, body } = await secure(app, {
    tables: [
      { table_name: "missing", user_column: "user_id" },
      { table_name: "closed", user_column: "owner" },
      { table_name: "files", user_column: "user_id", public_read_column: "title" },
      { table_name: "files", user_column: "id" },
      { table_name: "_idempotency_keys", user_column: "key" },
      { table_name: "notes", user_column: "user_id" },
    ],
  });
  assert.equal(status, 200);
  assert.deepEqual(body.tables_secured, [{ table: "notes", policy: "notes_user_isolation" }]);
  assert.deepEqual(
    body.table_errors.map(({ table, code }: Record<string, string>) => [table, code]),
    [
      ["missing", "VALIDATION_TABLE_NOT_FOUND"],
      ["closed", "VALIDATION_COLUMN_NOT_FOUND"],
      ["files", "VALIDATION_INVALID_TYPE"],
      ["files", "VALIDATION_INVALID_TYPE"],
      ["_idempotency_keys", "VALIDATION_RESERVED_TABLE"],
    ],
  );
  for (const { table, error, remediation } of body.table_errors) {
    assert.ok(error.includes(`"${table}"`), error);
    assert.notEqual(remediation, "");
  }
  assert.match(body.message, /5 of 6 tables/);
  assert.equal(await modeOf(app), "authenticated");
  const { tables_with_rls } = (await p.json("GET", `/v1/${app.id}/rls`)).body;
  assert.deepEqual(tables_with_rls, ["notes"]);
});

Deno.test("secure without tables sets the access mode alone, and may be asked for again", async () => {
  const app = await openApp();
  for (const body of [{}, { tables: [] }, {}]) {
    const answer = await secure(app, body);
    assert.equal(answer.status, 200);
    const { message: _, ...rest } = answer.body;
    assert.deepEqual(rest, { app_id: app.id, access_mode: "authenticated", tables_secured: [] });
  }
  const notes = { tables: [{ table_name: "notes", user_column: "user_id" }] };
  for (const _ of [1, 2]) assert.equal((await secure(app, notes)).body.tables_secured.length, 1);
});

Deno.test("a body that is no such list is refused with what is wrong, and nothing is secured", async () => {
  const app = await openApp();
  const wrong: [object | string | undefined, string][] = [
    [undefined, "REQUEST_ERROR"],
    ["{", "REQUEST_ERROR"],
    ["[]", "VALIDATION_INVALID_SCHEMA"],
    ["null", "VALIDATION_INVALID_SCHEMA"],
    [{ tables: "notes" }, "VALIDATION_INVALID_SCHEMA"],
    [{ tables: ["notes"] }, "VALIDATION_INVALID_SCHEMA"],
    [{ tables: [{ table_name: "notes" }] }, "VALIDATION_INVALID_SCHEMA"],
    [{ tables: [{ table_name: 1, user_column: "user_id" }] }, "VALIDATION_INVALID_SCHEMA"],
    [
      { tables: Array.from({ length: 51 }, () => ({ table_name: "notes", user_column: "user_id" })) },
      "VALIDATION_INVALID_SCHEMA",
    ],
  ];
  for (const [body, code] of wrong) {
    const answer = await secure(app, body);
    assert.deepEqual([answer.status, answer.body.error.code], [400, code], JSON.stringify(body));
  }
  assert.equal(await modeOf(app), "public");
  assert.deepEqual((await p.json("GET", `/v1/${app.id}/rls`)).body, { policies: [], tables_with_rls: [] });
});
