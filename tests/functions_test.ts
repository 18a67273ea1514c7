// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Functions as developers manage them: deploy, redeploy, list, read, delete, env, settings, test. Logs have a file of
// their own.

import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const hello = `export default () => new Response("hello")`;
const says = (text: string) => `export default () => new Response(${JSON.stringify(text)})`;
const showEnv = `export default (req, ctx) => Response.json(ctx.env)`;
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const post = (app: string, body: object | string) =>
  p.json("POST", `/v1/${app}/functions`, { body, headers: { "content-type": "application/json" } });
const get = async (app: string, name: string) => (await p.json("GET", `/v1/${app}/functions/${name}`)).body;
const text = async (url: string) => await (await fetch(url)).text();
const json = async (url: string) => await (await fetch(url)).json();
const publicTrigger = { trigger: { type: "http", config: { auth: "none" } } };

async function refused(app: string, body: object | string): Promise<any> {
  const answer = await post(app, body);
  assert.equal(answer.status, 400, JSON.stringify(body).slice(0, 200));
  return answer.body.error;
}

Deno.test("a deploy answers 200 with id, URL and triggers, and so does a redeploy with the same id", async () => {
  const app = await p.createApp();
  const first = await post(app, { name: "fn", code: hello, ...publicTrigger, unknown_field: 1 });
  assert.equal(first.status, 200);
  const { id, deployedAt, ...others } = first.body;
  assert.match(id, uuid);
  assert.match(deployedAt, isoTime);
  assert.deepEqual(others, {
    name: "fn",
    url: `${p.origin}/v1/${app}/fn/fn`,
    triggers: [{ type: "http", enabled: true }],
    version: 1,
    cacheInvalidation: { success: true, attempts: 1 },
  });
  const second = await post(app, { name: "fn", code: says("again") });
  assert.deepEqual([second.status, second.body.id, second.body.version], [200, id, 2]);
  assert.ok(second.body.deployedAt > deployedAt);
  assert.equal(await text(others.url), "again");
});

Deno.test("a function that says nothing of triggers gets http with auth required", async () => {
  const app = await p.createApp();
  await post(app, { name: "fn", code: hello });
  assert.deepEqual((await get(app, "fn")).triggers, [{
    type: "http",
    config: { auth: "required" },
    enabled: true,
  }]);
  assert.equal(
    (await fetch(`${p.origin}/v1/${app}/fn/fn`).then((answer) => answer.json())).error.code,
    "AUTH_REQUIRED",
  );
});

Deno.test("a redeploy keeps every field that it leaves out", async () => {
  const app = await p.createApp();
  const given = {
    description: "Shows its env",
    timeoutMs: 1234,
    memoryLimitMb: 256,
    triggers: [
      { type: "http", config: { auth: "none", note: "kept" } },
      { type: "cron", config: { schedule: "0 9 * * *" }, enabled: false },
    ],
    agent_tool: true,
    agent_tool_description: "Shows",
    agent_tool_mode: "read_write",
    agent_tool_exposed_to: "end_user",
    allow_service_key_impersonation: false,
  };
  await post(app, { name: "fn", code: hello, envVars: { A: "1" }, ...given });
  const before = await get(app, "fn");
  const redeployed = await post(app, { name: "fn", code: showEnv });
  assert.ok(!("warnings" in redeployed.body));
  const after = await get(app, "fn");
  assert.equal(after.code, showEnv);
  for (const field of [...Object.keys(given), "id", "envKeys"]) {
    assert.deepEqual(after[field], before[field], field);
  }
  assert.deepEqual(after.triggers.map(({ type }: any) => type), ["cron", "http"]);
  assert.equal((await json(`${p.origin}/v1/${app}/fn/fn`)).A, "1");
});

Deno.test("triggers given replace those that are stored, and what goes is named in warnings", async () => {
  const app = await p.createApp();
  const triggers = [{ type: "http" }, { type: "cron", config: { schedule: "0 9 * * *" } }, {
    type: "s3_upload",
    config: { bucket: "b" },
  }];
  assert.ok(!("warnings" in (await post(app, { name: "fn", code: hello, triggers })).body));
  const { body } = await post(app, {
    name: "fn",
    code: hello,
    trigger: { type: "http", config: { auth: "none" } },
  });
  assert.deepEqual(body.triggers, [{ type: "http", enabled: true }]);
  assert.equal(body.warnings.length, 2);
  for (const warning of body.warnings) assert.deepEqual(Object.keys(warning), ["code", "message"]);
  const words = body.warnings.map(({ message }: any) => message).join();
  assert.match(words, /cron/);
  assert.match(words, /s3_upload/);
  assert.equal((await get(app, "fn")).triggers.length, 1);
});

Deno.test("a function without an http trigger has no URL and is not found there, but its test works", async () => {
  const app = await p.createApp();
  const { body } = await post(app, {
    name: "fn",
    code: hello,
    triggers: [{ type: "cron", config: { schedule: "0 9 * * *" } }],
  });
  assert.equal(body.url, null);
  assert.equal(
    (await fetch(`${p.origin}/v1/${app}/fn/fn`).then((answer) => answer.json())).error.code,
    "RESOURCE_NOT_FOUND",
  );
  const test = await p.request("POST", `/v1/${app}/functions/fn/invoke`);
  assert.deepEqual([test.status, await test.text()], [200, "hello"]);
});

Deno.test("env given at deploy is merged, and replaceEnv makes it all there is", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", showEnv, { envVars: { A: "1", B: "2", C: "3" } });
  await p.deploy(app, "fn", showEnv, { envVars: { B: "two", C: null, D: "4" } });
  assert.deepEqual((await get(app, "fn")).envKeys, ["A", "B", "D"]);
  const { A, B, C, D } = await json(url);
  assert.deepEqual([A, B, C, D], ["1", "two", undefined, "4"]);
  await p.deploy(app, "fn", showEnv, { envVars: {} });
  assert.deepEqual((await get(app, "fn")).envKeys, ["A", "B", "D"]);
  await p.deploy(app, "fn", showEnv, { envVars: { E: "5" }, replaceEnv: true });
  assert.deepEqual((await get(app, "fn")).envKeys, ["E"]);
  const stored = await p.sql`select env_sealed from functions where app_id = ${app}`;
  assert.match(String(stored[0]?.["env_sealed"]), /^v1\./);
});

Deno.test("what a deploy must not say is refused with the field that is wrong, and deploys nothing", async () => {
  const app = await p.createApp();
  const good = { name: "fn", code: hello };
  const wrong: [string, object][] = [
    ["name", { code: hello }],
    ["name", { ...good, name: "a b" }],
    ["name", { ...good, name: "a/b" }],
    ["name", { ...good, name: "x".repeat(101) }],
    ["name", { ...good, name: 5 }],
    ["code", { name: "fn" }],
    ["code", { ...good, code: "" }],
    ["code", { ...good, code: null }],
    ["timeoutMs", { ...good, timeoutMs: 0 }],
    ["timeoutMs", { ...good, timeoutMs: 300_001 }],
    ["timeoutMs", { ...good, timeoutMs: "1000" }],
    ["memoryLimitMb", { ...good, memoryLimitMb: 63 }],
    ["memoryLimitMb", { ...good, memoryLimitMb: 1025 }],
    ["description", { ...good, description: null }],
    ["envVars", { ...good, envVars: null }],
    ["envVars", { ...good, envVars: { BUTTERBASE_X: "1" } }],
    ["envVars", { ...good, envVars: { A: 1 } }],
    ["triggers", { ...good, triggers: [] }],
    ["triggers", { ...good, triggers: [{ type: "http" }, { type: "http" }] }],
    ["triggers", { ...good, triggers: [{ type: "mail" }] }],
    ["trigger", { ...good, trigger: "http" }],
    ["trigger", { ...good, trigger: { type: "http", config: { auth: "maybe" } } }],
    ["trigger", { ...good, trigger: { type: "http", config: { path: "/((?:a+)+)b" } } }],
    ["agent_tool", { ...good, agent_tool: "true" }],
    ["agent_tool_mode", { ...good, agent_tool_mode: "write" }],
    ["allow_service_key_impersonation", { ...good, allow_service_key_impersonation: null }],
  ];
  for (const [field, body] of wrong) {
    const error = await refused(app, body);
    assert.equal(error.code, "VALIDATION_INVALID_SCHEMA", JSON.stringify(body));
    assert.ok(error.message.includes(field), `${field}: ${error.message}`);
    const paths = [error.details].flat().map(({ path }) => String(path).split(".")[0]);
    assert.ok(paths.includes(field), `${field}: ${JSON.stringify(error.details)}`);
  }
  assert.deepEqual((await p.json("GET", `/v1/${app}/functions`)).body, { functions: [] });
});

Deno.test("a body that is no JSON object is refused, and says so", async () => {
  const app = await p.createApp();
  for (
    const body of ["", "{", '{"name": "fn",}', "\xff", '{"name":"fn","code":"a\\u0000b"}', '{"__proto__":{}}']
  ) {
    assert.equal((await refused(app, body)).code, "REQUEST_ERROR", body);
  }
  for (const body of ["null", "[]", '"fn"', "5"]) {
    assert.equal((await refused(app, body)).code, "VALIDATION_INVALID_SCHEMA", body);
  }
});

Deno.test("code may be 2 MiB, also when JSON makes it longer, and not a byte more", async () => {
  const app = await p.createApp();
  const most = 2 * 1024 * 1024;
  const padded = (bytes: number) =>
    `${hello}\n/*${'"\n'.repeat((bytes - hello.length - 6) / 2)}`.padEnd(bytes - 2, "x") + "*/";
  assert.equal(padded(most).length, most);
  const fits = await post(app, { name: "fn", code: padded(most), ...publicTrigger });
  assert.equal(fits.status, 200, JSON.stringify(fits.body).slice(0, 300));
  assert.equal(await text(fits.body.url), "hello");
  assert.equal((await get(app, "fn")).code.length, most);
  const over = await post(app, { name: "fn", code: padded(most + 1) });
  assert.deepEqual([over.status, over.body.error.code], [413, "PAYLOAD_TOO_LARGE"]);
  const far = await post(app, { name: "fn", code: "x".repeat(7 * 1024 * 1024) });
  assert.deepEqual([far.status, far.body.error.code], [413, "PAYLOAD_TOO_LARGE"]);
  assert.equal((await get(app, "fn")).version, 1);
});

const badCode: Record<string, [code: string, line: number, column: number]> = {
  "a syntax error": [`export default () => {\n  const x = ;\n}`, 2, 13],
  "a relative import": [`\nimport x from "./x.ts";\nexport default () => new Response(x)`, 2, 15],
  "an import of a URL": [
    `import x from "https://example.com/x.ts";\nexport default () => new Response(x)`,
    1,
    15,
  ],
  "an import made up at run time": [
    `export default async (req) =>\n  new Response(await import(req.url))`,
    2,
    29,
  ],
  "a package that npm does not have": [
    `\n\nimport x from "npm:@butterbase-tests/no-such-package-here@9.9.9";\nexport default () => new Response(x)`,
    3,
    15,
  ],
};
for (const [what, [code, line, column]] of Object.entries(badCode)) {
  Deno.test(`${what} is refused with its line and column, and the former version goes on serving`, async () => {
    const app = await p.createApp();
    const url = await p.deploy(app, "fn", hello);
    const error = await refused(app, { name: "fn", code });
    assert.equal(error.code, "VALIDATION_INVALID_SCHEMA");
    const { path, line: atLine, column: atColumn, reason, text: quoted } = error.details;
    assert.deepEqual([path, atLine, atColumn], ["code", line, column], JSON.stringify(error));
    assert.equal(typeof reason, "string");
    assert.ok(code.includes(quoted));
    assert.equal(await text(url), "hello");
    const fn = await get(app, "fn");
    assert.deepEqual([fn.code, fn.version], [hello, 1]);
  });
}

Deno.test("code without a handler is refused with an example of one", async () => {
  const app = await p.createApp();
  for (
    const code of [
      "const x = 1;",
      "export const other = () => new Response()",
      "export default 5",
      "// export handler",
    ]
  ) {
    const error = await refused(app, { name: "fn", code });
    assert.equal(error.code, "VALIDATION_INVALID_SCHEMA");
    assert.match(error.remediation, /export default async function handler/);
  }
});

Deno.test("each deploy leaves an immutable version with source, bundle, map, hash and who made it", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", hello, { memoryLimitMb: 64 });
  const versions = () =>
    p.sql`
      select number, source, bundle, source_map, content_hash, memory_limit_mb, deployed_by, created_at
      from function_versions where app_id = ${app} order by number`;
  const [first] = await versions();
  await p.deploy(app, "fn", says("again"), { memoryLimitMb: 128 });
  const [kept, second, ...more] = await versions();
  assert.deepEqual(more, []);
  assert.deepEqual(kept, first);
  assert.deepEqual([kept?.["source"], second?.["source"]], [hello, says("again")]);
  assert.deepEqual([kept?.["memory_limit_mb"], second?.["memory_limit_mb"]], [64, 128]);
  const owner = (await p.json("GET", "/admin/users")).body.users.find((user: any) => user.operator);
  for (const version of [kept, second]) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(version?.["bundle"]));
    assert.equal(version?.["content_hash"], new Uint8Array(digest).toHex());
    assert.equal(version?.["deployed_by"], owner.id);
    assert.equal(JSON.parse(version?.["source_map"]).version, 3);
  }
});

Deno.test("deploys of one function at the same time all succeed, one after the other", async () => {
  const app = await p.createApp();
  const texts = ["a", "b", "c", "d"];
  const answers = await Promise.all(
    texts.map((word) => post(app, { name: "fn", code: says(word), ...publicTrigger })),
  );
  assert.deepEqual(answers.map(({ body }) => body.version).sort(), [1, 2, 3, 4]);
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  const last = answers.findIndex(({ body }) => body.version === 4);
  assert.equal(await text(answers[0]?.body.url), texts[last]);
  assert.equal((await get(app, "fn")).code, says(texts[last] ?? ""));
});

Deno.test("an env change while a deploy is under way is not lost", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", hello, { envVars: { A: "1" } });
  const locked = Promise.withResolvers<void>();
  const mayGo = Promise.withResolvers<void>();
  const holding = p.sql.begin(async (tx) => {
    await tx`select 1 from functions where app_id = ${app} for update`;
    locked.resolve();
    await mayGo.promise;
  });
  await locked.promise;
  const waiting = async (count: number) => {
    for (;;) {
      const [row] = await p.sql`
        select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      if (row?.["count"] >= count) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const change = p.json("PATCH", `/v1/${app}/functions/fn/env`, { body: { envVars: { B: "2" } } });
  await waiting(1);
  const deploy = post(app, { name: "fn", code: says("again") });
  await waiting(2);
  mayGo.resolve();
  await holding;
  assert.deepEqual([(await change).status, (await deploy).status], [200, 200]);
  assert.deepEqual((await get(app, "fn")).envKeys, ["A", "B"]);
});

Deno.test("the list has what clients read, sorted by name, without deleted functions and secrets", async () => {
  const app = await p.createApp();
  await p.deploy(app, "zebra", hello, { description: "Last", agent_tool: true });
  await p.deploy(app, "ant", hello, {
    trigger: { type: "webhook", config: { secret: "whsec_hunter2", allowed_sources: "github" } },
  });
  await p.deploy(app, "gone", hello);
  await p.json("DELETE", `/v1/${app}/functions/gone`);
  const { status, body } = await p.json("GET", `/v1/${app}/functions`);
  assert.equal(status, 200);
  assert.deepEqual(body.functions.map(({ name }: any) => name), ["ant", "zebra"]);
  assert.ok(!JSON.stringify(body).includes("hunter2"));
  assert.deepEqual(body.functions[0].triggers[0].config, { secret: "***", allowed_sources: "github" });
  assert.equal(body.functions[0].url, null);
  const { id, deployedAt, ...zebra } = body.functions[1];
  assert.match(id, uuid);
  assert.match(deployedAt, isoTime);
  assert.deepEqual(zebra, {
    name: "zebra",
    description: "Last",
    triggers: [{ type: "http", config: { auth: "none" }, enabled: true }],
    url: `${p.origin}/v1/${app}/fn/zebra`,
    status: "active",
    lastInvoked: null,
    lastStatus: null,
    invocationCount: 0,
    errorRate: 0,
    avgDuration: 0,
    agent_tool: true,
    agent_tool_description: null,
    agent_tool_mode: "read_only",
    agent_tool_exposed_to: "developer_only",
    allow_service_key_impersonation: true,
  });
  assert.ok(!JSON.stringify(await get(app, "ant")).includes("hunter2"));
});

Deno.test("the detail has code, limits, lifetime counters and the names of the function's own env", async () => {
  const app = await p.createApp();
  await p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { OF_APP: "1" } } });
  await p.deploy(app, "fn", hello, { envVars: { B: "hunter2", A: "1" } });
  const { status, body } = await p.json("GET", `/v1/${app}/functions/fn`);
  assert.equal(status, 200);
  const { id: _, deployedAt: __, ...fn } = body;
  assert.deepEqual(fn, {
    name: "fn",
    description: null,
    code: hello,
    triggers: [{ type: "http", config: { auth: "none" }, enabled: true }],
    timeoutMs: 30_000,
    memoryLimitMb: 128,
    lastInvoked: null,
    invocationCount: 0,
    errorCount: 0,
    avgDuration: 0,
    version: 1,
    agent_tool: false,
    agent_tool_description: null,
    agent_tool_mode: "read_only",
    agent_tool_exposed_to: "developer_only",
    allow_service_key_impersonation: true,
    envKeys: ["A", "B"],
  });
});

Deno.test("what is no function is 404 wherever it is asked for", async () => {
  const app = await p.createApp();
  for (const name of ["none", "%00", "a%2fb", "..%2f..", "x".repeat(300), "%E0%A4%A", "_", "ä"]) {
    const asked: [string, string, object?][] = [
      ["GET", ""],
      ["GET", "/logs"],
      ["GET", "/logs/stream"],
      ["POST", "/invoke", {}],
      ["PATCH", "/env", { envVars: { A: "1" } }],
      ["PATCH", "/settings", { allow_service_key_impersonation: true }],
    ];
    for (const [method, suffix, body] of asked) {
      const answer = await p.json(
        method,
        `/v1/${app}/functions/${name}${suffix}`,
        body === undefined ? {} : { body },
      );
      assert.deepEqual(
        [answer.status, answer.body.error.code],
        [404, "RESOURCE_NOT_FOUND"],
        `${method} ${name}${suffix}`,
      );
    }
    assert.deepEqual((await p.json("DELETE", `/v1/${app}/functions/${name}`)).body, { success: true });
  }
});

Deno.test("a deleted function is gone for all, and a redeploy brings it back with its id and counters", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", hello, { envVars: { A: "1" }, timeoutMs: 4321 });
  await text(url);
  await p.logs(app, "fn");
  const before = await get(app, "fn");
  for (let round = 0; round < 2; round++) {
    const { status, body } = await p.json("DELETE", `/v1/${app}/functions/fn`);
    assert.deepEqual([status, body], [200, { success: true }]);
  }
  const asked: [string, string, object?][] = [
    ["GET", "/functions/fn"],
    ["GET", "/functions/fn/logs"],
    ["GET", "/functions/fn/logs/stream"],
    ["POST", "/functions/fn/invoke", {}],
    ["PATCH", "/functions/fn/env", { envVars: { A: "2" } }],
    ["PATCH", "/functions/fn/settings", { allow_service_key_impersonation: false }],
    ["GET", "/fn/fn"],
  ];
  for (const [method, path, body] of asked) {
    const answer = await p.json(method, `/v1/${app}${path}`, body === undefined ? {} : { body });
    assert.deepEqual(
      [answer.status, answer.body.error.code],
      [404, "RESOURCE_NOT_FOUND"],
      `${method} ${path}`,
    );
  }
  assert.deepEqual((await p.json("GET", `/v1/${app}/functions`)).body.functions, []);

  const { body } = await post(app, { name: "fn", code: says("back") });
  assert.deepEqual([body.id, body.version], [before.id, 2]);
  assert.ok(!("warnings" in body));
  const after = await get(app, "fn");
  assert.equal(after.invocationCount, 1);
  assert.deepEqual([after.envKeys, after.timeoutMs], [["A"], 4321]);
  assert.equal(await text(url), "back");
  assert.equal((await p.logs(app, "fn", { count: 2 })).length, 2);
});

Deno.test("a function's env is merged by PATCH, reaches the next call, and is no deploy", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", showEnv, { envVars: { A: "1", B: "2" } });
  assert.equal((await json(url)).A, "1");
  const before = await get(app, "fn");
  const { status, body } = await p.json("PATCH", `/v1/${app}/functions/fn/env`, {
    body: { envVars: { A: "one", B: null, C: "hunter2" } },
  });
  assert.equal(status, 200);
  const { message, function: fn, ...others } = body;
  assert.equal(typeof message, "string");
  assert.deepEqual([fn.id, fn.name], [before.id, "fn"]);
  assert.match(fn.updated_at, isoTime);
  assert.deepEqual(others, { updatedKeys: ["A", "C"], cache_invalidation: { success: true, attempts: 1 } });
  const { A, B, C } = await json(url);
  assert.deepEqual([A, B, C], ["one", undefined, "hunter2"]);
  const after = await get(app, "fn");
  assert.deepEqual([after.deployedAt, after.version, after.envKeys], [before.deployedAt, 1, ["A", "C"]]);
});

Deno.test("a function's env change that is wrong changes nothing, and many at once lose nothing", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", hello, { envVars: { KEPT: "1" } });
  const path = `/v1/${app}/functions/fn/env`;
  for (
    const body of [{}, { envVars: [] }, { envVars: {} }, { envVars: { A: 1 } }, {
      envVars: { Butterbase_x: null },
    }]
  ) {
    const answer = await p.json("PATCH", path, { body });
    assert.deepEqual([answer.status, answer.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
  }
  assert.equal((await p.json("PATCH", path)).body.error.code, "REQUEST_ERROR");
  const keys = Array.from({ length: 10 }, (_, at) => `K${at}`);
  await Promise.all(keys.map((key) => p.json("PATCH", path, { body: { envVars: { [key]: "x" } } })));
  assert.deepEqual((await get(app, "fn")).envKeys, [...keys, "KEPT"]);
});

Deno.test("settings say whether a key may be seen as a user, and hold for the next call", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", `export default (req, ctx) => Response.json(ctx.user)`);
  const asUser = { "x-butterbase-as-user": "u1" };
  assert.equal((await p.json("GET", url, { headers: asUser })).body.id, "u1");
  const path = `/v1/${app}/functions/fn/settings`;
  const { status, body } = await p.json("PATCH", path, { body: { allow_service_key_impersonation: false } });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body), ["message", "function", "cache_invalidation"]);
  assert.deepEqual(Object.keys(body.function), [
    "id",
    "name",
    "allow_service_key_impersonation",
    "updated_at",
  ]);
  assert.equal(body.function.allow_service_key_impersonation, false);
  const refusedCall = await p.json("GET", url, { headers: asUser });
  assert.deepEqual([refusedCall.status, refusedCall.body.error.code], [403, "AUTH_IMPERSONATION_DISABLED"]);
  for (
    const wrong of [{}, { allow_service_key_impersonation: "false" }, {
      allow_service_key_impersonation: null,
    }]
  ) {
    const answer = await p.json("PATCH", path, { body: wrong });
    assert.deepEqual([answer.status, answer.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
  }
  for (const wrong of ["null", "[]", "1"]) {
    assert.equal((await p.json("PATCH", path, { body: wrong })).status, 400, wrong);
  }
});

const mirror = `export default async (req, ctx) => {
  const body = await req.text();
  return Response.json(
    { body, method: req.method, url: req.url, headers: [...req.headers.keys()].sort(), user: ctx.user, caller: ctx.caller, trigger: ctx.trigger.type },
    { status: 201, headers: { "x-own": "1" } },
  );
}`;

Deno.test("a test invoke posts the JSON that it was given, as the service, with none of the caller's headers", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", mirror, { auth: "required" });
  const path = `/v1/${app}/functions/fn/invoke`;
  const { status, body, headers } = await p.json("POST", `${path}?x=1`, {
    body: { a: [1, "ä"] },
    headers: { "x-mine": "1", cookie: "a=b" },
  });
  assert.equal(status, 201);
  assert.equal(headers.get("x-own"), "1");
  assert.deepEqual([body.body, body.method, body.trigger], ['{"a":[1,"ä"]}', "POST", "test"]);
  assert.equal(body.url, `${p.origin}/v1/${app}/fn/fn`);
  for (const name of ["authorization", "cookie", "x-mine"]) assert.ok(!body.headers.includes(name), name);
  assert.ok(body.headers.includes("content-type"));
  assert.deepEqual([body.user, body.caller.type], [null, "service_key"]);
  assert.equal((await p.json("POST", path)).body.body, "{}");
  for (const value of ["null", "5", '"x"', "[]"]) {
    assert.equal((await p.json("POST", path, { body: value })).body.body, value);
  }
});

Deno.test("a test invoke may be a user's, unless the function forbids it", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", mirror);
  const path = `/v1/${app}/functions/fn/invoke`;
  const headers = { "x-butterbase-as-user": " u7 " };
  const { body } = await p.json("POST", path, { headers });
  assert.deepEqual([body.user.id, body.caller.userId], ["u7", "u7"]);
  await p.json("PATCH", `/v1/${app}/functions/fn/settings`, {
    body: { allow_service_key_impersonation: false },
  });
  const refusedCall = await p.json("POST", path, { headers });
  assert.deepEqual([refusedCall.status, refusedCall.body.error.code], [403, "AUTH_IMPERSONATION_DISABLED"]);
});

Deno.test("a test invoke with a body that is no JSON, or too long, does not run", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", mirror);
  const path = `/v1/${app}/functions/fn/invoke`;
  for (const body of ["{", "hello", "\xff", "undefined"]) {
    const answer = await p.json("POST", path, { body });
    assert.deepEqual([answer.status, answer.body.error.code], [400, "REQUEST_ERROR"], body);
  }
  const long = await p.json("POST", path, { body: JSON.stringify("x".repeat(10 * 1024 * 1024)) });
  assert.deepEqual([long.status, long.body.error.code], [413, "PAYLOAD_TOO_LARGE"]);
  assert.equal((await p.json("GET", `/v1/${app}/functions/fn/logs`)).body.logs.length, 0);
});

Deno.test("a test invoke runs in a paused app, and its log row says so", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", hello);
  const path = `/v1/${app}/functions/fn/invoke`;
  await p.request("POST", path).then((answer) => answer.body?.cancel());
  await p.logs(app, "fn");
  await p.json("PATCH", `/v1/${app}/config/pause`, { body: { paused: true } });
  const answer = await p.request("POST", path);
  assert.deepEqual([answer.status, await answer.text()], [200, "hello"]);
  const [paused, running] = await p.logs(app, "fn", { count: 2 });
  assert.deepEqual([paused.whilePaused, running.whilePaused], [true, false]);
  assert.deepEqual([paused.triggerType, paused.requestId], ["test", answer.headers.get("x-request-id")]);
});
