// Apps from POST /init to DELETE /apps/{app}, over HTTP.

import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

let names = 0;
const newName = () => `shop-${++names}-${crypto.randomUUID().slice(0, 8)}`;
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function eventually(what: string, isSo: () => Promise<boolean>, withinMs = 5000): Promise<void> {
  const until = performance.now() + withinMs;
  while (!await isSo()) {
    assert.ok(performance.now() < until, `not so after ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function status(app: string, platform = p): Promise<string> {
  return (await platform.json("GET", `/apps/${app}/status`)).body.provisioning_status;
}

async function databaseExists(app: string): Promise<boolean> {
  return (await p.sql`select 1 from pg_database where datname = ${app}`).length > 0;
}

/** Tells the nodes that the app's row was changed behind their backs. */
async function announce(app: string): Promise<void> {
  await p.sql`select pg_notify('butterbase', ${`apps\n${app}`})`;
}

const hello = `export default () => new Response("hello")`;
const showEnv = `export default (req, ctx) => Response.json(ctx.env)`;

Deno.test("POST /init makes an app and says where it is and what to do next", async () => {
  const name = newName();
  const { status: code, body } = await p.json("POST", "/init", {
    body: { name, organization_id: "ignored" },
  });
  assert.equal(code, 201);
  const { app_id, created_at, anon_key, _meta, ...others } = body;
  assert.match(app_id, /^app_[0-9a-z]{12}$/);
  assert.match(created_at, isoTime);
  assert.match(anon_key, /^bb_anon_/);
  assert.deepEqual(others, {
    name,
    db_provisioned: false,
    provisioning_status: "provisioning",
    api_url: `${p.origin}/v1/${app_id}`,
    api_base_url: p.origin,
    region: "local",
    subdomain: name,
    url: `${p.origin}/v1/${app_id}`,
  });
  for (const next of _meta.next_actions) {
    assert.deepEqual(Object.keys(next), ["action", "description", "recommended"]);
  }
  await eventually("the app is ready", async () => await status(app_id) === "ready");
  assert.ok(await databaseExists(app_id));
});

Deno.test("POST /init with the name of an app that one has answers 200 and that app", async () => {
  const name = newName();
  const first = await p.json("POST", "/init", { body: { name } });
  await eventually("the app is ready", async () => await status(first.body.app_id) === "ready");
  const again = await p.json("POST", "/init", { body: { name } });
  assert.equal(again.status, 200);
  assert.equal(again.body.app_id, first.body.app_id);
  assert.equal(again.body.provisioning_status, "ready");
  assert.equal(again.body.db_provisioned, true);
  assert.ok(!("_meta" in again.body));
});

Deno.test("many POST /init with one name at once make one app", async () => {
  const name = newName();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => p.json("POST", "/init", { body: { name } })),
  );
  assert.equal(new Set(answers.map(({ body }) => body.app_id)).size, 1);
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 200, 200, 200, 200, 200, 201]);
});

Deno.test("two accounts may each have an app of the same name, under subdomains that differ", async () => {
  const name = newName();
  const other = await p.addAccount();
  const [mine, theirs] = [
    await p.json("POST", "/init", { body: { name } }),
    await p.json("POST", "/init", { body: { name }, key: other }),
  ];
  assert.deepEqual([mine.status, theirs.status], [201, 201]);
  assert.notEqual(mine.body.app_id, theirs.body.app_id);
  assert.equal(mine.body.subdomain, name);
  assert.match(theirs.body.subdomain, new RegExp(`^${name}-[0-9a-f]{6}$`));
});

Deno.test("a default subdomain is made of the name and always a valid one", async () => {
  const seed = crypto.randomUUID().slice(0, 8);
  const other = await p.addAccount();
  for (
    const name of [`a_b-${seed}__`, `long${seed}${"x".repeat(51)}`, `dash${seed}${"x".repeat(43)}-yyyyyyy`]
  ) {
    for (const key of [undefined, other]) {
      const { status: code, body } = await p.json(
        "POST",
        "/init",
        key === undefined ? { body: { name } } : { body: { name }, key },
      );
      assert.equal(code, 201);
      assert.match(body.subdomain, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
    }
  }
});

Deno.test("a name that is a number is taken as its digits", async () => {
  const name = Number(`1${Date.now()}`);
  const { status: code, body } = await p.json("POST", "/init", { body: { name } });
  assert.deepEqual([code, body.name], [201, String(name)]);
});

Deno.test("names that cannot be are refused with the field that is wrong, and nothing is made", async () => {
  const before = (await p.json("GET", "/apps")).body.apps.length;
  for (const name of ["", "Shop", "-a", "a b", "a".repeat(64), null, true, {}, ["a"], 1.5]) {
    const { status: code, body } = await p.json("POST", "/init", { body: { name } });
    assert.deepEqual([code, body.error.code], [400, "VALIDATION_INVALID_SCHEMA"], JSON.stringify(name));
    assert.deepEqual(body.error.details[0].path, ["name"]);
  }
  assert.equal((await p.json("GET", "/apps")).body.apps.length, before);
});

Deno.test("an explicit subdomain is kept, and one that is taken is 409", async () => {
  const subdomain = newName();
  const first = await p.json("POST", "/init", { body: { name: newName(), subdomain } });
  assert.deepEqual([first.status, first.body.subdomain], [201, subdomain]);
  const second = await p.json("POST", "/init", { body: { name: newName(), subdomain } });
  assert.deepEqual([second.status, second.body.error.code], [409, "RESOURCE_CONFLICT"]);
  assert.ok(second.body.error.message.includes(subdomain));
  await p.json("DELETE", `/apps/${first.body.app_id}`);
  assert.equal((await p.json("POST", "/init", { body: { name: newName(), subdomain } })).status, 201);
});

Deno.test("a region that is not offered is refused, and GET /v1/regions says to anybody which are", async () => {
  const { status: code, body } = await p.json("GET", "/v1/regions", { key: null });
  assert.deepEqual([code, body], [200, { regions: ["local"] }]);
  const refused = await p.json("POST", "/init", { body: { name: newName(), region: "mars" } });
  assert.deepEqual([refused.status, refused.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
  assert.match(refused.body.error.message, /local/);
  assert.equal((await p.json("POST", "/init", { body: { name: newName(), region: "local" } })).status, 201);
});

Deno.test("GET /apps/{app}/status has the five fields that clients poll", async () => {
  const app = await p.createApp();
  await eventually("the app is ready", async () => await status(app) === "ready");
  const { status: code, body } = await p.json("GET", `/apps/${app}/status`);
  assert.equal(code, 200);
  assert.deepEqual(Object.keys(body), [
    "app_id",
    "name",
    "db_provisioned",
    "provisioning_status",
    "provisioning_error",
  ]);
  assert.deepEqual([body.app_id, body.db_provisioned, body.provisioning_error], [app, true, null]);
});

Deno.test("GET /apps lists one's own apps newest first, and all of them for the operator", async () => {
  const key = await p.addAccount();
  assert.deepEqual((await p.json("GET", "/apps", { key })).body, { apps: [] });
  const [first, second] = [await p.createApp({ key }), await p.createApp({ key })];
  const mine = await p.createApp();
  const { body } = await p.json("GET", "/apps", { key });
  assert.deepEqual(body.apps.map(({ id }: { id: string }) => id), [second, first]);
  const fields = [
    "id",
    "name",
    "subdomain",
    "db_name",
    "db_provisioned",
    "provisioning_status",
    "region",
    "visibility",
    "listed",
    "template_source_app_id",
    "fork_count",
    "substrate_organization_id",
    "substrate_autopropagate",
    "created_at",
    "organization_id",
  ];
  for (const field of fields) assert.ok(field in body.apps[0], field);
  assert.match(body.apps[0].created_at, isoTime);
  const all = (await p.json("GET", "/apps")).body.apps.map(({ id }: { id: string }) => id);
  assert.deepEqual([mine, second, first], all.slice(0, 3));
});

Deno.test("GET /v1/{app}/config has every field of the contract, and the pause state beside", async () => {
  const app = await p.createApp();
  const { status: code, body } = await p.json("GET", `/v1/${app}/config`);
  assert.equal(code, 200);
  const { name, created_at, updated_at, anon_key, db_provisioned: _, ...others } = body;
  assert.match(name, /^test-/);
  assert.match(created_at, isoTime);
  assert.match(updated_at, isoTime);
  assert.match(anon_key, /^bb_anon_/);
  assert.deepEqual(others, {
    id: app,
    db_name: app,
    region: "local",
    allowed_origins: ["http://localhost:3000"],
    storage_config: { maxFileSizeMb: 10, publicReadEnabled: false, allowedContentTypes: ["*/*"] },
    jwt_config: { accessTokenTtl: "1h", refreshTokenTtlDays: 7 },
    auth_hook_function: null,
    access_mode: "public",
    egress: { allow: null, deny: [] },
    visibility: "private",
    listed: true,
    paused: false,
    paused_at: null,
    paused_reason: null,
    template_source_app_id: null,
    repo_latest_snapshot: null,
    fork_count: 0,
    substrate_organization_id: null,
  });
});

Deno.test("PATCH config/cors takes the spelling of the documents and that of the clients, and replaces the list", async () => {
  const app = await p.createApp();
  const snake = await p.json("PATCH", `/v1/${app}/config/cors`, {
    body: { allowed_origins: ["https://a.example.com/", "https://b.example.com"] },
  });
  assert.equal(snake.status, 200);
  assert.deepEqual(snake.body.allowed_origins, ["https://a.example.com", "https://b.example.com"]);
  assert.equal(snake.body.app_id, app);
  assert.equal(typeof snake.body.message, "string");
  const camel = await p.json("PATCH", `/v1/${app}/config/cors`, {
    body: {
      allowedOrigins: ["http://localhost:5173"],
      allowedMethods: [],
      allowedHeaders: [],
      allowCredentials: true,
    },
  });
  assert.deepEqual([camel.status, camel.body.allowed_origins], [200, ["http://localhost:5173"]]);
  assert.deepEqual((await p.json("GET", `/v1/${app}/config`)).body.allowed_origins, [
    "http://localhost:5173",
  ]);
  for (
    const body of [{}, { allowed_origins: [] }, { allowed_origins: ["*"] }, { allowedOrigins: "https://a.b" }]
  ) {
    const refused = await p.json("PATCH", `/v1/${app}/config/cors`, { body });
    assert.deepEqual([refused.status, refused.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
    assert.ok(Array.isArray(refused.body.error.details));
  }
  assert.deepEqual((await p.json("GET", `/v1/${app}/config`)).body.allowed_origins, [
    "http://localhost:5173",
  ]);
});

Deno.test("DELETE /apps/{app} drops the database, and the app answers 404 everywhere from then on", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", hello, { envVars: { SECRET: "hunter2" } });
  assert.equal(await (await fetch(url)).text(), "hello");
  await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { A: "1" } } });
  await p.userToken(app, "u1");
  const { name } = (await p.json("GET", `/apps/${app}/status`)).body;
  assert.ok(await databaseExists(app));

  const { status: code, body } = await p.json("DELETE", `/apps/${app}`);
  assert.equal(code, 200);
  assert.deepEqual([body.app_id, body.db_name, typeof body.message], [app, app, "string"]);
  assert.ok(!await databaseExists(app));
  const routes: [string, string][] = [
    ["GET", `/apps/${app}/status`],
    ["DELETE", `/apps/${app}`],
    ["GET", `/v1/${app}/config`],
    ["PATCH", `/v1/${app}/config/cors`],
    ["PATCH", `/v1/${app}/config/egress`],
    ["PATCH", `/v1/${app}/config/pause`],
    ["GET", `/v1/${app}/env`],
    ["PATCH", `/v1/${app}/env`],
    ["GET", `/v1/${app}/functions`],
    ["POST", `/v1/${app}/functions`],
    ["GET", `/v1/${app}/functions/fn`],
    ["GET", `/v1/${app}/functions/fn/logs?include_deleted=true`],
    ["POST", `/v1/${app}/functions/fn/invoke`],
    ["GET", `/v1/${app}/fn/fn`],
    ["POST", `/v1/${app}/fn/fn`],
  ];
  for (const [method, path] of routes) {
    const answer = await p.json(method, path, method === "GET" ? {} : { body: {} });
    assert.deepEqual(
      [answer.status, answer.body.error.code],
      [404, "RESOURCE_NOT_FOUND"],
      `${method} ${path}`,
    );
  }
  const listed = (await p.json("GET", "/apps")).body.apps.map(({ id }: { id: string }) => id);
  assert.ok(!listed.includes(app));
  const again = await p.json("POST", "/init", { body: { name } });
  assert.equal(again.status, 201);
  assert.notEqual(again.body.app_id, app);
});

Deno.test("of a deleted app no secret stays in the control database, and no trigger", async () => {
  const app = await p.createApp();
  const triggers = [{ type: "http", config: {} }, { type: "cron", config: { schedule: "* * * * *" } }];
  await p.deploy(app, "fn", hello, { envVars: { SECRET: "hunter2" }, triggers });
  await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { A: "1" } } });
  await p.userToken(app, "u1");
  await p.json("DELETE", `/apps/${app}`);
  const [row] = await p.sql`select env_sealed, anon_key, provisioning_status from apps where id = ${app}`;
  assert.deepEqual({ ...row }, { env_sealed: null, anon_key: "", provisioning_status: "deleted" });
  const left = await p.sql`
    select
      (select count(*)::int from app_signing_keys where app_id = ${app}) as keys,
      (select count(*)::int from functions where app_id = ${app} and (env_sealed is not null or deleted_at is null)) as functions,
      (select count(*)::int from function_triggers where app_id = ${app}) as triggers`;
  assert.deepEqual({ ...left[0] }, { keys: 0, functions: 0, triggers: 0 });
});

Deno.test("an app can be deleted while it is being made", async () => {
  const { body } = await p.json("POST", "/init", { body: { name: newName() } });
  assert.equal((await p.json("DELETE", `/apps/${body.app_id}`)).status, 200);
  assert.ok(!await databaseExists(body.app_id));
  assert.equal((await p.json("GET", `/apps/${body.app_id}/status`)).status, 404);
});

Deno.test("the app's env is merged key by key, null deletes, and values are never shown", async () => {
  const app = await p.createApp();
  const path = `/v1/${app}/env`;
  assert.deepEqual((await p.json("GET", path)).body, { keys: [], updatedAt: null });
  const first = await p.json("PATCH", path, { body: { envVars: { B: "2", A: "hunter2", C: "3" } } });
  assert.equal(first.status, 200);
  assert.deepEqual(first.body.updatedKeys, ["A", "B", "C"]);
  assert.equal(typeof first.body.message, "string");
  const second = await p.json("PATCH", path, { body: { envVars: { B: null, D: "", NEVER: null } } });
  assert.deepEqual(second.body.updatedKeys, ["A", "C", "D"]);
  const { body } = await p.json("GET", path);
  assert.deepEqual(body.keys, ["A", "C", "D"]);
  assert.match(body.updatedAt, isoTime);
  assert.ok(!JSON.stringify([first.body, second.body, body]).includes("hunter2"));
  const [row] = await p.sql`select env_sealed from apps where id = ${app}`;
  assert.ok(!String(row?.["env_sealed"]).includes("hunter2"));
});

Deno.test("a change of the app's env names the functions that it reaches, and reaches them at the next call", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "one", showEnv, { envVars: { BOTH: "function", MINE: "1" } });
  await p.deploy(app, "two", hello);
  assert.equal((await (await fetch(url)).json()).BOTH, "function");
  const { body } = await p.json("PATCH", `/v1/${app}/env`, {
    body: { envVars: { BOTH: "app", SHARED: "x" } },
  });
  assert.deepEqual(body.invalidated, {
    functions: ["one", "two"],
    count: 2,
    durable_objects_redeployed: false,
  });
  const env = await (await fetch(url)).json();
  assert.deepEqual([env.BOTH, env.MINE, env.SHARED], ["function", "1", "x"]);
  assert.equal(env.BUTTERBASE_APP_ID, app);
  await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { SHARED: null } } });
  assert.equal((await (await fetch(url)).json()).SHARED, undefined);
});

Deno.test("an env change with reserved names, wrong types or nothing in it changes nothing", async () => {
  const app = await p.createApp();
  const path = `/v1/${app}/env`;
  await p.json("PATCH", path, { body: { envVars: { KEPT: "1" } } });
  const wrong: unknown[] = [
    {},
    { envVars: null },
    { envVars: [] },
    { envVars: {} },
    { envVars: "A=1" },
    { envVars: { A: 1 } },
    { envVars: { A: true } },
    { envVars: { A: { b: 1 } } },
    { envVars: { A: ["x"] } },
    { envVars: { GOOD: "1", BUTTERBASE_APP_ID: "x" } },
    { envVars: { butterbase_x: null } },
    { envVars: { "A-B": "x" } },
    { A: "1" },
  ];
  for (const body of wrong) {
    const answer = await p.json("PATCH", path, { body: body as object });
    assert.deepEqual(
      [answer.status, answer.body.error.code],
      [400, "VALIDATION_INVALID_SCHEMA"],
      JSON.stringify(body),
    );
  }
  assert.deepEqual((await p.json("GET", path)).body.keys, ["KEPT"]);
});

Deno.test("of many changes of one env at the same time none is lost", async () => {
  const app = await p.createApp();
  const keys = Array.from({ length: 12 }, (_, at) => `KEY_${String(at).padStart(2, "0")}`);
  await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { OLD: "1" } } });
  const answers = await Promise.all([
    ...keys.map((key) => p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { [key]: key } } })),
    p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { OLD: null } } }),
  ]);
  for (const answer of answers) assert.equal(answer.status, 200);
  assert.deepEqual((await p.json("GET", `/v1/${app}/env`)).body.keys, keys);
});

Deno.test("a paused app answers no call, and everything that is needed to recover works", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", hello);
  const { status: code, body } = await p.json("PATCH", `/v1/${app}/config/pause`, {
    body: { paused: true, reason: "outbound spam" },
  });
  assert.equal(code, 200);
  assert.match(body.paused_at, isoTime);
  assert.deepEqual([body.app_id, body.paused, body.paused_reason, typeof body.message], [
    app,
    true,
    "outbound spam",
    "string",
  ]);

  for (const method of ["GET", "POST", "DELETE"]) {
    const call = await p.json(method, `/v1/${app}/fn/fn`, { key: null });
    assert.deepEqual([call.status, call.body.error.code], [503, "APP_PAUSED"]);
    assert.equal(call.headers.get("retry-after"), "60");
    assert.deepEqual(call.body.error.details, { paused_reason: "outbound spam" });
  }
  const config = (await p.json("GET", `/v1/${app}/config`)).body;
  assert.deepEqual([config.paused, config.paused_at, config.paused_reason], [
    true,
    body.paused_at,
    "outbound spam",
  ]);
  const listed = (await p.json("GET", "/apps")).body.apps.find(({ id }: { id: string }) => id === app);
  assert.equal(listed.paused, true);
  assert.equal((await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { A: "1" } } })).status, 200);
  await p.deploy(app, "fn", `export default () => new Response("mended")`);
  assert.equal((await p.json("GET", `/v1/${app}/functions`)).body.functions.length, 1);

  const resumed = await p.json("PATCH", `/v1/${app}/config/pause`, { body: { paused: false } });
  assert.deepEqual([resumed.body.paused, resumed.body.paused_at, resumed.body.paused_reason], [
    false,
    null,
    null,
  ]);
  assert.equal(await (await fetch(url)).text(), "mended");
});

Deno.test("pausing again replaces the reason and the time, and resuming again is no conflict", async () => {
  const app = await p.createApp();
  const pause = (body: object) => p.json("PATCH", `/v1/${app}/config/pause`, { body });
  const first = await pause({ paused: true, reason: "one" });
  const second = await pause({ paused: true });
  assert.deepEqual([second.status, second.body.paused_reason], [200, null]);
  assert.ok(second.body.paused_at > first.body.paused_at);
  for (let round = 0; round < 2; round++) {
    assert.equal((await pause({ paused: false, reason: "x" })).body.paused_reason, null);
  }
  for (
    const body of [{}, { paused: "yes" }, { paused: true, reason: "x".repeat(501) }, {
      paused: true,
      reason: 1,
    }]
  ) {
    const refused = await pause(body);
    assert.deepEqual([refused.status, refused.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
  }
});

Deno.test("an app that is not made yet answers 409 and says when to come back; its status and deletion work", async () => {
  const app = await p.createApp();
  await eventually("the app is ready", async () => await status(app) === "ready");
  await p.sql`update apps set provisioning_status = 'provisioning' where id = ${app}`;
  await announce(app);
  await eventually("it is seen", async () => await status(app) === "provisioning");
  const answer = await p.json("GET", `/v1/${app}/functions`);
  assert.deepEqual([answer.status, answer.body.error.code], [409, "APP_PROVISIONING"]);
  assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
  assert.equal((await p.json("GET", `/v1/${app}/config`)).body.db_provisioned, false);

  await p
    .sql`update apps set provisioning_status = 'failed', provisioning_error = 'disk full' where id = ${app}`;
  await announce(app);
  await eventually("it is seen", async () => await status(app) === "failed");
  const failed = await p.json("GET", `/v1/${app}/functions`);
  assert.deepEqual([failed.status, failed.body.error.code], [409, "APP_PROVISIONING"]);
  assert.match(failed.body.error.message, /disk full/);
  assert.equal((await p.json("GET", `/apps/${app}/status`)).body.provisioning_error, "disk full");
  assert.equal((await p.json("DELETE", `/apps/${app}`)).status, 200);
});

Deno.test("what a crash left half made or half deleted is finished by the next start", async () => {
  const [unmade, undeleted] = [await p.createApp(), await p.createApp()];
  for (const app of [unmade, undeleted]) {
    await eventually("the app is ready", async () => await status(app) === "ready");
  }
  // As it stands when the node died between the row and the database.
  await p.sql`drop database ${p.sql(unmade)} with (force)`;
  await p.sql`update apps set provisioning_status = 'provisioning' where id = ${unmade}`;
  await p.sql`update apps set provisioning_status = 'deleting', deleted_at = now() where id = ${undeleted}`;
  await announce(unmade);
  await announce(undeleted);
  await eventually("it is seen", async () => await status(unmade) === "provisioning");

  await using next = await startTestPlatform({}, { joining: p });
  await eventually("the new node finished it", async () => await status(unmade, next) === "ready");
  await eventually("the other node knows", async () => await status(unmade) === "ready");
  assert.ok(await databaseExists(unmade));
  const url = await p.deploy(
    unmade,
    "fn",
    `export default async (req, ctx) => Response.json((await ctx.db.query("select 1 as one")).rows)`,
  );
  assert.deepEqual(await (await fetch(url)).json(), [{ one: 1 }]);
  assert.ok(!await databaseExists(undeleted));
  const [row] = await p.sql`select provisioning_status from apps where id = ${undeleted}`;
  assert.equal(row?.["provisioning_status"], "deleted");
});

Deno.test("one app that cannot be finished does not keep the next start from serving", async () => {
  const app = await p.createApp();
  await eventually("the app is ready", async () => await status(app) === "ready");
  await p.sql`update apps set provisioning_status = 'deleting', deleted_at = now() where id = ${app}`;
  // A template cannot be dropped.
  await p.sql`update pg_database set datistemplate = true where datname = ${app}`;
  try {
    await using next = await startTestPlatform({}, { joining: p });
    assert.equal((await next.json("GET", "/health/ready")).status, 200);
  } finally {
    await p.sql`update pg_database set datistemplate = false where datname = ${app}`;
  }
  await using next = await startTestPlatform({}, { joining: p });
  assert.equal((await next.json("GET", "/health/ready")).status, 200);
  assert.ok(!await databaseExists(app));
});
