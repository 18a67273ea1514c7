// Platform keys over HTTP: what they are, what they reach on every route there is, and when they end.

import assert from "node:assert/strict";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const hello = `export default () => new Response("hello")`;

interface MadeKey {
  key: string;
  keyId: string;
  prefix: string;
  name: string;
}

async function makeKey(body: object, key = ownerKey): Promise<MadeKey> {
  const answer = await p.json("POST", "/api-keys", { body: { name: "test", ...body }, key });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}

const appKey = (app: string, key = ownerKey) => makeKey({ key_scope: "app", target_app_id: app }, key);

async function statusAndCode(method: string, path: string, key: string | null, body?: object) {
  const answer = await p.json(method, path, { key, ...(body === undefined ? {} : { body }) });
  return [answer.status, answer.body?.error?.code];
}

Deno.test("POST /api-keys answers the key once, and its hash alone is kept", async () => {
  const { status, body } = await p.json("POST", "/api-keys", { body: { name: "ci" } });
  assert.equal(status, 201);
  assert.deepEqual(Object.keys(body), ["key", "keyId", "prefix", "name"]);
  assert.match(body.key, /^bb_sk_[0-9a-f]{40}$/);
  assert.equal(body.prefix, body.key.slice(0, 12));
  assert.equal(body.name, "ci");
  assert.equal((await p.json("GET", "/apps", { key: body.key })).status, 200);

  const list = await p.json("GET", "/api-keys");
  assert.ok(!JSON.stringify(list.body).includes(body.key));
  const rows = await p.sql`select platform_keys::text as row from platform_keys`;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body.key)))
    .toHex();
  assert.ok(rows.some(({ row }) => row.includes(digest)));
  for (const { row } of rows) {
    assert.ok(!row.includes(body.key.slice(13)) && !row.includes(ownerKey.slice(13)));
  }
});

Deno.test("GET /api-keys lists one's own keys newest first, with the fields that clients read", async () => {
  const account = await p.addAccount();
  const [first, second] = [await makeKey({ name: "one" }, account), await makeKey({ name: "two" }, account)];
  const { status, body } = await p.json("GET", "/api-keys", { key: account });
  assert.equal(status, 200);
  assert.deepEqual(body.keys.map(({ id }: { id: string }) => id).slice(0, 2), [second.keyId, first.keyId]);
  assert.equal(body.keys.length, 3);
  const { created_at, last_used_at: _, ...row } = body.keys[0];
  assert.match(created_at, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(row, {
    id: second.keyId,
    name: "two",
    key_prefix: second.prefix,
    scopes: ["*"],
    expires_at: null,
    scope: "app",
    substrate_organization_id: null,
  });
});

Deno.test("scopes of a key follow from key_scope, and extra ones are added", async () => {
  const app = await p.createApp();
  const made = [
    await makeKey({}),
    await makeKey({ additional_scopes: ["ai:gateway"] }),
    await makeKey({ scopes: ["ai:gateway"] }),
    await makeKey({ key_scope: "app", target_app_id: app, additional_scopes: ["ai:gateway"] }),
  ];
  const { keys } = (await p.json("GET", "/api-keys")).body;
  const scopes = made.map(({ keyId }) => keys.find(({ id }: { id: string }) => id === keyId).scopes);
  assert.deepEqual(scopes, [["*"], ["*", "ai:gateway"], ["*", "ai:gateway"], [`app:${app}`, "ai:gateway"]]);
});

Deno.test("each mistake of POST /api-keys has the status and code of the contract, and makes no key", async () => {
  const app = await p.createApp();
  const account = await p.addAccount();
  const before = (await p.json("GET", "/api-keys")).body.keys.length;
  const mistakes: [object, number, string][] = [
    [{}, 400, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "" }, 400, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", scopes: ["ai:gateway"], key_scope: "account" }, 400, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", scope: "both" }, 400, "VALIDATION_INVALID_SCOPE"],
    [{ name: "x", key_scope: "organization" }, 400, "INVALID_KEY_SCOPE"],
    [{ name: "x", key_scope: "app" }, 400, "TARGET_APP_REQUIRED"],
    [{ name: "x", key_scope: "account", target_app_id: app }, 400, "TARGET_APP_NOT_ALLOWED"],
    [{ name: "x", additional_scopes: ["*"] }, 400, "RESERVED_SCOPE"],
    [{ name: "x", scopes: [`app:${app}`] }, 400, "RESERVED_SCOPE"],
    [{ name: "x", additional_scopes: ["root"] }, 400, "UNKNOWN_SCOPE"],
    [{ name: "x", key_scope: "app", target_app_id: "app_zzzzzzzzzzzz" }, 404, "RESOURCE_NOT_FOUND"],
    [{ name: "x", key_scope: "app", target_app_id: "*" }, 404, "RESOURCE_NOT_FOUND"],
  ];
  for (const [body, status, code] of mistakes) {
    const answer = await p.json("POST", "/api-keys", { body });
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], JSON.stringify(body));
    assert.ok(answer.body.error.remediation.length > 0);
  }
  const foreign = { name: "x", key_scope: "app", target_app_id: app };
  assert.deepEqual(await statusAndCode("POST", "/api-keys", account, foreign), [404, "RESOURCE_NOT_FOUND"]);
  for (const body of ["", "{", "null", "[]", '"x"']) {
    const { status } = await p.json("POST", "/api-keys", {
      body,
      headers: { "content-type": "application/json" },
    });
    assert.equal(status, 400, body);
  }
  assert.deepEqual(await statusAndCode("POST", "/api-keys", null, { name: "x" }), [401, "AUTH_REQUIRED"]);
  assert.equal((await p.json("GET", "/api-keys")).body.keys.length, before);
});

Deno.test("what is not a good key is refused by name on a management route", async () => {
  const app = await p.createApp();
  const bearers: [string, string][] = [
    [`Bearer bb_sk_${"f".repeat(40)}`, "AUTH_INVALID_API_KEY"],
    ["Bearer bb_sk_short", "AUTH_INVALID_API_KEY"],
    [`Bearer ${ownerKey}0`, "AUTH_INVALID_API_KEY"],
    [`Bearer ${ownerKey.toUpperCase()}`, "AUTH_INVALID_TOKEN"],
    [`Bearer bb_sub_${"0".repeat(40)}`, "AUTH_INVALID_TOKEN"],
    ["Bearer nonsense", "AUTH_INVALID_TOKEN"],
    [`Bearer ${await p.userToken(app, "u1")}`, "AUTH_INVALID_TOKEN"],
    [`Bearer ${(await p.json("GET", `/v1/${app}/config`)).body.anon_key}`, "AUTH_INVALID_TOKEN"],
    [`bearer ${ownerKey}`, "AUTH_REQUIRED"],
    [`Basic ${btoa(`key:${ownerKey}`)}`, "AUTH_REQUIRED"],
    [ownerKey, "AUTH_REQUIRED"],
  ];
  for (const [authorization, code] of bearers) {
    for (const path of ["/apps", `/v1/${app}/functions`, `/apps/${app}/status`]) {
      const answer = await p.json("GET", path, { headers: { authorization }, key: null });
      assert.deepEqual([answer.status, answer.body.error.code], [401, code], `${authorization} ${path}`);
    }
  }
  for (const elsewhere of [`/apps?key=${ownerKey}`, `/apps?apikey=${ownerKey}&access_token=${ownerKey}`]) {
    const headers = { cookie: `key=${ownerKey}`, apikey: ownerKey, "x-api-key": ownerKey };
    assert.equal((await p.json("GET", elsewhere, { key: null, headers })).status, 401);
  }
});

/** Routes that answer without a platform key, on purpose. A new one is named here, or needs a key. */
const publicRoutes = new Set([
  "/health",
  "/health/ready",
  "/v1/regions",
  "/v1/:app_id/fn/:name",
  "/v1/:app_id/fn/:name/*",
  "/v1/:app_id/:table",
  "/v1/:app_id/:table/:id",
  "/auth/:app_id/signup",
  "/auth/:app_id/login",
  "/auth/:app_id/refresh",
  "/auth/:app_id/logout",
  "/auth/:app_id/me",
  "/auth/:app_id/verify-email",
  "/auth/:app_id/forgot-password",
  "/auth/:app_id/reset-password",
  "/auth/:app_id/magic-link",
  "/auth/:app_id/magic-link/verify",
  "/auth/:app_id/.well-known/jwks.json",
  "/auth/:app_id/oauth/:provider",
  "/auth/:app_id/oauth/:provider/callback",
]);

/** Every management route, as method and path with the app filled in. */
function managementRoutes(app: string): { method: string; path: string; ofApp: boolean; pattern: string }[] {
  const routes = p.platform.routes.filter(({ path }) =>
    path !== "/*" && path !== "*" && !publicRoutes.has(path)
  );
  const found = new Map(routes.map(({ method, path }) => [`${method} ${path}`, {
    method: method === "ALL" ? "GET" : method,
    pattern: path,
    ofApp: path.includes(":app_id"),
    path: path.replace(":app_id", app).replace(":name", "fn").replace(/:(key_|user_)?id/, crypto.randomUUID())
      .replace(":provider", "google").replace(":policy_name", "own").replace(":table", "notes"),
  }]));
  return [...found.values()];
}

const bodyFor = (method: string) => method === "GET" || method === "DELETE" ? {} : { body: {} };

Deno.test("every management route is known to these tests", () => {
  const routes = managementRoutes("app_000000000000");
  assert.ok(routes.length >= 20, String(routes.length));
  for (const { path } of routes) assert.ok(!path.includes(":"), path);
});

Deno.test("every management route answers 401 without a credential", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", hello);
  for (const { method, path } of managementRoutes(app)) {
    const answer = await p.json(method, path, { key: null, ...bodyFor(method) });
    assert.deepEqual([answer.status, answer.body.error.code], [401, "AUTH_REQUIRED"], `${method} ${path}`);
  }
  assert.equal((await p.json("GET", `/apps/${app}/status`)).status, 200);
});

Deno.test("every route of an app answers 404 to a key of another account, as if there were no such app", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", hello);
  const stranger = await p.addAccount();
  const foreignApp = await p.createApp({ key: stranger });
  const strangersAppKey = (await appKey(foreignApp, stranger)).key;
  const routes = managementRoutes(app).filter(({ ofApp }) => ofApp);
  assert.ok(routes.length >= 15);
  for (const { method, path } of routes) {
    for (const key of [stranger, strangersAppKey]) {
      const answer = await p.json(method, path, { key, ...bodyFor(method) });
      const missing = await p.json(method, path.replace(app, "app_zzzzzzzzzzzz"), {
        key,
        ...bodyFor(method),
      });
      assert.deepEqual(
        [answer.status, answer.body.error.code],
        [404, "RESOURCE_NOT_FOUND"],
        `${method} ${path}`,
      );
      const { request_id: _, message, ...error } = answer.body.error;
      const { request_id: __, message: other, ...unknown } = missing.body.error;
      assert.deepEqual(error, unknown);
      assert.equal(message.replace(app, ""), other.replace("app_zzzzzzzzzzzz", ""));
    }
  }
  assert.equal((await p.json("GET", `/v1/${app}/functions/fn`)).status, 200);
});

Deno.test("a key of one app can do nothing outside that app, on any route", async () => {
  const [mine, other] = [await p.createApp(), await p.createApp()];
  await p.deploy(other, "fn", hello);
  const { key, keyId } = await appKey(mine);
  const accountId = (await p.json("GET", "/admin/users")).body.users[0].id;
  for (const { method, path, ofApp, pattern } of managementRoutes(other)) {
    const target = pattern === "/admin/users/:id"
      ? `/admin/users/${accountId}`
      : path.replace(/\/api-keys\/.*/, `/api-keys/${keyId}`);
    const answer = await p.json(method, target, { key, ...bodyFor(method) });
    const place = `${method} ${target}`;
    if (ofApp) {
      assert.deepEqual([answer.status, answer.body.error.code], [404, "RESOURCE_NOT_FOUND"], place);
    } else if (method === "GET" && path === "/apps") {
      assert.deepEqual(answer.body.apps.map(({ id }: { id: string }) => id), [mine]);
    } else if (method === "POST" && path === "/api-keys") {
      assert.equal(answer.status, 400, place);
    } else {
      assert.deepEqual(
        [answer.status, answer.body.error.code],
        [403, "AUTH_INSUFFICIENT_PERMISSIONS"],
        place,
      );
    }
  }
  const call = await p.json("GET", `/v1/${other}/fn/fn`, { key, headers: { "x-butterbase-as-user": "u1" } });
  assert.deepEqual([call.status, call.body.error.code], [403, "AUTH_IMPERSONATION_FORBIDDEN"]);
  assert.equal((await p.json("GET", `/v1/${other}/functions/fn`)).status, 200);
  assert.equal((await p.json("GET", "/apps", { key })).status, 200);
});

Deno.test("a key of one app manages that app", async () => {
  const app = await p.createApp();
  const { key } = await appKey(app);
  const url = await p.deploy(app, "fn", hello, { key });
  assert.equal(await (await fetch(url)).text(), "hello");
  assert.equal(
    (await p.json("PATCH", `/v1/${app}/config/pause`, { key, body: { paused: false } })).status,
    200,
  );
  assert.equal((await p.json("GET", `/v1/${app}/functions/fn/logs`, { key })).status, 200);
  assert.equal((await p.json("GET", `/apps/${app}/status`, { key })).status, 200);
});

Deno.test("making keys never widens what one reaches", async () => {
  const [mine, other] = [await p.createApp(), await p.createApp()];
  const { key } = await appKey(mine);
  const make = (body: object) => statusAndCode("POST", "/api-keys", key, { name: "wider", ...body });
  assert.deepEqual(await make({}), [403, "AUTH_INSUFFICIENT_PERMISSIONS"]);
  assert.deepEqual(await make({ key_scope: "account" }), [403, "AUTH_INSUFFICIENT_PERMISSIONS"]);
  assert.deepEqual(await make({ scopes: [] }), [403, "AUTH_INSUFFICIENT_PERMISSIONS"]);
  assert.deepEqual(await make({ scopes: ["*"] }), [400, "RESERVED_SCOPE"]);
  assert.deepEqual(await make({ key_scope: "app", target_app_id: other }), [404, "RESOURCE_NOT_FOUND"]);
  assert.deepEqual(
    await make({ key_scope: "app", target_app_id: mine, additional_scopes: [`app:${other}`] }),
    [400, "RESERVED_SCOPE"],
  );
  const child = await appKey(mine, key);
  assert.deepEqual(
    (await p.json("GET", "/apps", { key: child.key })).body.apps.map(({ id }: { id: string }) => id),
    [mine],
  );
  assert.equal((await p.json("GET", `/v1/${other}/config`, { key: child.key })).status, 404);
  const scopes = await p.sql`select scopes from platform_keys where id = ${child.keyId}`;
  assert.deepEqual(scopes[0]?.["scopes"], [`app:${mine}`, "ai:gateway"]);
});

Deno.test("nobody gets a key of another account's app that would not work", async () => {
  const developer = await p.addAccount();
  const app = await p.createApp({ key: developer });
  assert.equal((await p.json("GET", `/v1/${app}/config`)).status, 200);
  const answer = await p.json("POST", "/api-keys", {
    body: { name: "x", key_scope: "app", target_app_id: app },
  });
  assert.deepEqual([answer.status, answer.body.error.code], [403, "AUTH_INSUFFICIENT_PERMISSIONS"]);
});

Deno.test("a revoked key stops at once on every route, also where it was just used", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", hello, { auth: "required" });
  const { key, keyId } = await makeKey({});
  const authorization = `Bearer ${key}`;
  assert.equal((await p.json("GET", "/apps", { key })).status, 200);
  const called = await fetch(url, { headers: { authorization } });
  assert.deepEqual([called.status, await called.text()], [200, "hello"]);

  const { status, body } = await p.json("DELETE", `/api-keys/${keyId}`);
  assert.deepEqual([status, body], [200, { revoked: true }]);
  assert.deepEqual(await statusAndCode("GET", "/apps", key), [401, "AUTH_INVALID_API_KEY"]);
  assert.deepEqual(await statusAndCode("GET", `/v1/${app}/config`, key), [401, "AUTH_INVALID_API_KEY"]);
  const refused = await fetch(url, { headers: { authorization } });
  assert.deepEqual([refused.status, (await refused.json()).error.code], [401, "AUTH_INVALID_TOKEN"]);
  const listed = (await p.json("GET", "/api-keys")).body.keys.map(({ id }: { id: string }) => id);
  assert.ok(!listed.includes(keyId));
});

Deno.test("a log stream ends when its key is revoked", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", hello);
  const { key, keyId } = await appKey(app);
  const response = await p.request("GET", `/v1/${app}/functions/fn/logs/stream`, { key });
  assert.equal(response.status, 200);
  const whole = response.text();
  await p.json("DELETE", `/api-keys/${keyId}`);
  const started = performance.now();
  await fetch(url).then((answer) => answer.body?.cancel());
  const text = await whole;
  assert.ok(performance.now() - started < 2000);
  assert.ok(!text.includes("event: log"), text);
});

Deno.test("revoking answers 404 for a key that is unknown, revoked already, or somebody else's", async () => {
  const { key: mine, keyId } = await makeKey({});
  const stranger = await p.addAccount();
  for (const id of [crypto.randomUUID(), "x", "%00", "..%2f", keyId.toUpperCase()]) {
    assert.deepEqual(
      await statusAndCode("DELETE", `/api-keys/${id}`, ownerKey),
      [404, "RESOURCE_NOT_FOUND"],
      id,
    );
  }
  assert.deepEqual(await statusAndCode("DELETE", `/api-keys/${keyId}`, stranger), [
    404,
    "RESOURCE_NOT_FOUND",
  ]);
  assert.equal((await p.json("GET", "/apps", { key: mine })).status, 200);
  assert.equal((await p.json("DELETE", `/api-keys/${keyId}`)).status, 200);
  assert.deepEqual(await statusAndCode("DELETE", `/api-keys/${keyId}`, ownerKey), [
    404,
    "RESOURCE_NOT_FOUND",
  ]);
});

Deno.test("the operator adds, lists and disables users; a disabled one's keys end, old and new", async () => {
  const email = `Ada-${crypto.randomUUID()}@Example.com`;
  const { status, body } = await p.json("POST", "/admin/users", { body: { email, name: " Ada " } });
  assert.equal(status, 201);
  assert.match(body.key, /^bb_sk_[0-9a-f]{40}$/);
  assert.deepEqual([body.user.email, body.user.name, body.user.operator], [
    email.toLowerCase(),
    "Ada",
    false,
  ]);
  const app = await p.createApp({ key: body.key });
  const narrow = await appKey(app, body.key);

  const taken = await p.json("POST", "/admin/users", { body: { email: email.toUpperCase(), name: "Eve" } });
  assert.deepEqual([taken.status, taken.body.error.code], [409, "RESOURCE_CONFLICT"]);
  const { users } = (await p.json("GET", "/admin/users")).body;
  assert.ok(users.some(({ id }: { id: string }) => id === body.user.id));
  assert.ok(!JSON.stringify(users).includes("bb_sk_"));

  const disabled = await p.json("DELETE", `/admin/users/${body.user.id}`);
  assert.deepEqual([disabled.status, disabled.body], [200, { disabled: true }]);
  for (const key of [body.key, narrow.key]) {
    assert.deepEqual(await statusAndCode("GET", "/apps", key), [401, "AUTH_INVALID_API_KEY"]);
    assert.deepEqual(await statusAndCode("GET", `/v1/${app}/config`, key), [401, "AUTH_INVALID_API_KEY"]);
  }
  assert.equal((await p.json("GET", `/v1/${app}/config`)).status, 200);
  const row = (await p.json("GET", "/admin/users")).body.users.find(({ id }: { id: string }) =>
    id === body.user.id
  );
  assert.ok(row.disabled_at !== null);
});

Deno.test("/admin/users is the operator's alone, and the operator cannot be disabled", async () => {
  const developer = await p.addAccount();
  const narrow = (await appKey(await p.createApp())).key;
  const id = crypto.randomUUID();
  for (const key of [developer, narrow]) {
    for (const [method, path] of [["GET", ""], ["POST", ""], ["DELETE", `/${id}`]] as const) {
      assert.deepEqual(
        await statusAndCode(
          method,
          `/admin/users${path}`,
          key,
          method === "POST" ? { email: "a@b.c", name: "x" } : undefined,
        ),
        [403, "AUTH_INSUFFICIENT_PERMISSIONS"],
      );
    }
  }
  const { users } = (await p.json("GET", "/admin/users")).body;
  const operator = users.find((user: { operator: boolean }) => user.operator);
  for (const wrong of [operator.id, id, "x", "%00"]) {
    assert.deepEqual(await statusAndCode("DELETE", `/admin/users/${wrong}`, ownerKey), [
      404,
      "RESOURCE_NOT_FOUND",
    ]);
  }
  for (
    const body of [{}, { email: "x", name: "y" }, { email: "a@b", name: "" }, { email: 1, name: 2 }, {
      email: "a@b",
    }]
  ) {
    assert.deepEqual(await statusAndCode("POST", "/admin/users", ownerKey, body), [
      400,
      "VALIDATION_INVALID_SCHEMA",
    ]);
  }
});
