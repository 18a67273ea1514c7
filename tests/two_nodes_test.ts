// Two nodes on the same databases: what one is told, the other does within a second, also after its line was cut.

import assert from "node:assert/strict";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let a: TestPlatform;
let b: TestPlatform;
Deno.test.beforeAll(async () => {
  a = await startTestPlatform();
  b = await startTestPlatform({}, { joining: a });
});
Deno.test.afterAll(async () => {
  await b[Symbol.asyncDispose]();
  await a[Symbol.asyncDispose]();
});

const says = (text: string) => `export default () => new Response(${JSON.stringify(text)})`;

/** Status and body of a call of the function on a node; the body's code for a failure. */
async function call(node: TestPlatform, app: string, key: string | null = null): Promise<[number, string]> {
  const response = await node.request("GET", `/v1/${app}/fn/fn`, { key });
  const text = await response.text();
  return [response.status, response.status < 400 ? text : JSON.parse(text).error.code];
}

/** Asserts that it becomes so within a second, and says how long that took. */
async function withinASecond(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const started = performance.now();
  while (!await isSo()) {
    assert.ok(performance.now() - started < 1000, `not so within a second: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const callIs = (node: TestPlatform, app: string, expected: [number, string], key: string | null = null) =>
  withinASecond(
    `a call gives ${expected}`,
    async () => String(await call(node, app, key)) === String(expected),
  );

/** An app with a function that both nodes have run. */
async function warmApp(
  code = says("one"),
  options: Parameters<TestPlatform["deploy"]>[3] = {},
): Promise<string> {
  const app = await a.createApp();
  await a.deploy(app, "fn", code, options);
  for (const node of [a, b]) assert.equal((await call(node, app, ownerKey))[0], 200);
  return app;
}

Deno.test("a second node serves the same apps and keys, and makes no owner of its own", async () => {
  const app = await a.createApp();
  assert.equal((await b.json("GET", `/v1/${app}/config`)).body.id, app);
  const { users } = (await b.json("GET", "/admin/users")).body;
  assert.equal(users.filter(({ operator }: { operator: boolean }) => operator).length, 1);
  assert.equal((await b.json("GET", "/health/ready")).status, 200);
});

Deno.test("an app that one node makes is known to the other at once, and used there as soon as it is ready", async () => {
  const app = await a.createApp();
  await withinASecond("the app is ready", async () => {
    const { status, body } = await b.json("GET", `/apps/${app}/status`);
    assert.equal(status, 200);
    return body.provisioning_status === "ready";
  });
  const url = await b.deploy(app, "fn", says("one"));
  assert.equal(await (await fetch(url)).text(), "one");
  assert.deepEqual(await call(a, app), [200, "one"]);
});

Deno.test("a deploy on one node is live on the other, and no call between the two versions fails", async () => {
  const app = await warmApp();
  assert.deepEqual(await call(b, app), [200, "one"]);
  const seen = new Set<string>();
  let running = true;
  const calling = (async () => {
    while (running) seen.add(String(await call(b, app)));
  })();
  await a.deploy(app, "fn", says("two"));
  await callIs(b, app, [200, "two"]);
  running = false;
  await calling;
  for (const answer of seen) assert.ok(["200,one", "200,two"].includes(answer), answer);
  await b.deploy(app, "fn", says("three"));
  await callIs(a, app, [200, "three"]);
});

Deno.test("a change of a function's env, or the app's, is seen by the other node's next calls", async () => {
  const app = await warmApp(
    `export default (req, ctx) => new Response(String(ctx.env.WORD) + ctx.env.OF_APP)`,
  );
  await a.json("PATCH", `/v1/${app}/functions/fn/env`, { body: { envVars: { WORD: "x" } } });
  await callIs(b, app, [200, "xundefined"]);
  await b.json("PATCH", `/v1/${app}/env`, { body: { envVars: { OF_APP: "y" } } });
  await callIs(a, app, [200, "xy"]);
  await callIs(b, app, [200, "xy"]);
});

Deno.test("settings and triggers that change on one node hold on the other", async () => {
  const app = await warmApp();
  await a.deploy(app, "fn", says("one"), { auth: "required" });
  await callIs(b, app, [401, "AUTH_REQUIRED"]);
  await a.json("PATCH", `/v1/${app}/functions/fn/settings`, {
    body: { allow_service_key_impersonation: false },
  });
  await withinASecond("impersonation is refused", async () => {
    const answer = await b.request("GET", `/v1/${app}/fn/fn`, { headers: { "x-butterbase-as-user": "u1" } });
    await answer.body?.cancel();
    return answer.status === 403;
  });
});

Deno.test("pausing and resuming on one node holds on the other", async () => {
  const app = await warmApp();
  await a.json("PATCH", `/v1/${app}/config/pause`, { body: { paused: true } });
  await callIs(b, app, [503, "APP_PAUSED"]);
  await b.json("PATCH", `/v1/${app}/config/pause`, { body: { paused: false } });
  await callIs(a, app, [200, "one"]);
  await callIs(b, app, [200, "one"]);
});

Deno.test("allowed origins that change on one node hold on the other", async () => {
  const app = await warmApp();
  const origin = "https://new.example.com";
  const granted = async () => {
    const answer = await b.request("GET", `/v1/${app}/config`, { headers: { origin } });
    await answer.body?.cancel();
    return answer.headers.get("access-control-allow-origin") === origin;
  };
  assert.equal(await granted(), false);
  await a.json("PATCH", `/v1/${app}/config/cors`, { body: { allowed_origins: [origin] } });
  await withinASecond("the origin is allowed", granted);
});

Deno.test("a key that is revoked, or whose account is disabled, stops on the other node", async () => {
  const app = await warmApp(says("one"), { auth: "required" });
  const { key, keyId } = (await a.json("POST", "/api-keys", { body: { name: "x" } })).body;
  const account = await a.json("POST", "/admin/users", {
    body: { email: `${crypto.randomUUID()}@x.y`, name: "X" },
  });
  const statusOf = async (given: string) => (await b.json("GET", "/apps", { key: given })).status;
  assert.deepEqual(await call(b, app, key), [200, "one"]);
  assert.deepEqual([await statusOf(key), await statusOf(account.body.key)], [200, 200]);
  await a.json("DELETE", `/api-keys/${keyId}`);
  await withinASecond("the key is refused", async () => await statusOf(key) === 401);
  assert.deepEqual(await call(b, app, key), [401, "AUTH_INVALID_TOKEN"]);
  await a.json("DELETE", `/admin/users/${account.body.user.id}`);
  await withinASecond("the account's key is refused", async () => await statusOf(account.body.key) === 401);
});

Deno.test("a token that one node signs first is good on the other", async () => {
  const app = await warmApp(`export default (req, ctx) => new Response(String(ctx.user?.id))`, {
    auth: "required",
  });
  const early = await b.request("GET", `/v1/${app}/fn/fn`, { headers: { authorization: "Bearer a.b.c" } });
  await early.body?.cancel();
  assert.equal(early.status, 401);
  const token = await a.userToken(app, "u1");
  await callIs(b, app, [200, "u1"], token);
  assert.deepEqual(await call(a, app, token), [200, "u1"]);
});

Deno.test("a function or an app that is deleted on one node is gone on the other", async () => {
  const app = await warmApp();
  await a.json("DELETE", `/v1/${app}/functions/fn`);
  await callIs(b, app, [404, "RESOURCE_NOT_FOUND"]);
  await b.deploy(app, "fn", says("back"));
  await callIs(a, app, [200, "back"]);
  await a.json("DELETE", `/apps/${app}`);
  await callIs(b, app, [404, "RESOURCE_NOT_FOUND"]);
  await withinASecond(
    "the app is gone",
    async () => (await b.json("GET", `/v1/${app}/config`)).status === 404,
  );
});

Deno.test("the host of a version that is not live any more ends on both nodes", async () => {
  const app = await warmApp();
  const served = () => [a, b].map((node) => node.platform.isolates.stats().versions);
  const before = served();
  await a.deploy(app, "fn", says("two"));
  await callIs(b, app, [200, "two"]);
  await callIs(a, app, [200, "two"]);
  await withinASecond(
    "the former version has no host",
    () => Promise.resolve(String(served()) === String(before)),
  );
});

Deno.test("calls on both nodes are in one log and one count, and each node tells them all", async () => {
  const app = await warmApp();
  for (let round = 0; round < 3; round++) for (const node of [a, b]) await call(node, app);
  const logs = await a.logs(app, "fn", { count: 8 });
  assert.equal(new Set(logs.map(({ id }) => id)).size, 8);
  for (const node of [a, b]) {
    assert.equal((await node.json("GET", `/v1/${app}/functions/fn`)).body.invocationCount, 8);
  }
});

Deno.test("a log stream on one node tells the calls of the other", async () => {
  const app = await warmApp();
  const ending = new AbortController();
  const stream = await b.request("GET", `/v1/${app}/functions/fn/logs/stream`, { signal: ending.signal });
  const called = await a.request("GET", `/v1/${app}/fn/fn`);
  await called.body?.cancel();
  let text = "";
  for await (const chunk of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.includes("\n\n")) break;
  }
  ending.abort();
  assert.ok(text.includes(called.headers.get("x-request-id") ?? "none"), text);
});

/** Cuts the line over which B hears of changes; resolves when it is cut. Changes until it is back are not told to B. */
async function cutNoticesOfB(): Promise<void> {
  const [row] = await a.sql<{ pid: number }[]>`
    select pid from pg_stat_activity where application_name = 'butterbase_notices' and datname = current_database()
    order by backend_start desc limit 1`;
  assert.ok(row !== undefined);
  await a.sql`select pg_terminate_backend(${row.pid}, 2000)`;
}

Deno.test("what changes while a node's line is cut is seen once the line is back", async () => {
  const [deployed, paused, deleted, environment] = [
    await warmApp(),
    await warmApp(),
    await warmApp(),
    await warmApp(`export default (req, ctx) => new Response(String(ctx.env.WORD))`),
  ];
  const { key, keyId } = (await a.json("POST", "/api-keys", { body: { name: "x" } })).body;
  assert.equal((await b.json("GET", "/apps", { key })).status, 200);
  await cutNoticesOfB();
  // B listens again within milliseconds: what is told before, and what it missed, must both come out right.
  await Promise.all([
    a.json("PATCH", `/v1/${paused}/config/pause`, { body: { paused: true } }),
    a.json("DELETE", `/v1/${deleted}/functions/fn`),
    a.json("PATCH", `/v1/${environment}/functions/fn/env`, { body: { envVars: { WORD: "new" } } }),
    a.json("DELETE", `/api-keys/${keyId}`),
    a.deploy(deployed, "fn", says("two")),
  ]);
  await callIs(b, deployed, [200, "two"]);
  await callIs(b, paused, [503, "APP_PAUSED"]);
  await callIs(b, deleted, [404, "RESOURCE_NOT_FOUND"]);
  await callIs(b, environment, [200, "new"]);
  await withinASecond(
    "the key is refused",
    async () => (await b.json("GET", "/apps", { key })).status === 401,
  );
});

Deno.test("a node whose line was cut reads everything again, also what nobody told it", async () => {
  const app = await warmApp();
  const { key, keyId } = (await a.json("POST", "/api-keys", { body: { name: "x" } })).body;
  assert.equal((await b.json("GET", "/apps", { key })).status, 200);
  // Behind the nodes' backs: as a notice that was sent while nobody listened.
  await a.sql`update apps set paused_at = now() where id = ${app}`;
  await a.sql`update platform_keys set revoked_at = now() where id = ${keyId}`;
  assert.deepEqual(await call(b, app), [200, "one"]);
  assert.equal((await b.json("GET", "/apps", { key })).status, 200);
  await cutNoticesOfB();
  await callIs(b, app, [503, "APP_PAUSED"]);
  await withinASecond(
    "the key is refused",
    async () => (await b.json("GET", "/apps", { key })).status === 401,
  );
});

Deno.test("a node that ends leaves the other serving", async () => {
  const app = await warmApp();
  const c = await startTestPlatform({}, { joining: a });
  assert.deepEqual(await call(c, app), [200, "one"]);
  await c[Symbol.asyncDispose]();
  for (const node of [a, b]) assert.deepEqual(await call(node, app), [200, "one"]);
});
