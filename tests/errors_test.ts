// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Every failure looks the same, whoever meets it and wherever, and no input makes the server fail.

import assert from "node:assert/strict";
import { type ErrorCode, errorKinds } from "../core/errors.ts";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { rawRequest } from "./harness/raw_http.ts";

let p: TestPlatform;
let app = "";
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
  app = await p.createApp();
  await p.deploy(app, "fn", `export default () => new Response("hello")`);
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Codes that the contract gives another status over REST than elsewhere. */
const overRest: Readonly<Record<string, number>> = {
  VALIDATION_TABLE_NOT_FOUND: 404,
  QUOTA_LIMIT_EXCEEDED: 413,
};

/** Checks the one envelope; answers its code. */
function checkEnvelope(status: number, headers: Headers, body: any, place: string): string {
  assert.match(headers.get("content-type") ?? "", /^application\/json/, place);
  assert.deepEqual(Object.keys(body), ["error"], place);
  const { error } = body;
  const known = ["code", "message", "remediation", "documentation_url", "details", "request_id"];
  for (const field of Object.keys(error)) assert.ok(known.includes(field), `${place}: ${field}`);
  for (const field of ["code", "message", "remediation", "request_id"]) {
    assert.ok(typeof error[field] === "string" && error[field] !== "", `${place}: ${field}`);
  }
  assert.ok(error.code in errorKinds, `${place}: ${error.code}`);
  const statuses = [errorKinds[error.code as ErrorCode].status, overRest[error.code]];
  assert.ok(statuses.includes(status), `${place}: ${status} ${error.code}`);
  assert.match(error.request_id, uuid, place);
  assert.equal(headers.get("x-request-id"), error.request_id, place);
  assert.equal(
    error.documentation_url,
    `https://docs.butterbase.ai/errors#${error.code.toLowerCase().replaceAll("_", "-")}`,
  );
  return error.code;
}

async function failure(method: string, path: string, options: Parameters<TestPlatform["request"]>[2] = {}) {
  const response = await p.request(method, path, options);
  const body = await response.json();
  const code = checkEnvelope(response.status, response.headers, body, `${method} ${path}`);
  return { status: response.status, code, message: body.error.message as string, headers: response.headers };
}

Deno.test("an unknown route is 404 in the envelope, whatever the method and the path", async () => {
  const paths = [
    "/",
    "/nothing",
    "/v1",
    "/v1/",
    `/v1/${app}`,
    `/v1/${app}/fn`,
    `/v1/${app}/fn/`,
    `/apps/${app}/x`,
    "/v2/apps",
  ];
  for (
    const path of [
      ...paths,
      "//",
      "/v1//config",
      "/health/",
      "/%F0%9F%92%A9",
      "/..%2f..",
      "/a%00b",
      "/%",
      `/${"x".repeat(5000)}`,
    ]
  ) {
    for (const method of ["GET", "POST", "DELETE"]) {
      const { status, code, message } = await failure(method, path);
      assert.deepEqual([status, code], [404, "RESOURCE_NOT_FOUND"], `${method} ${path}`);
      assert.ok(message.length < 500);
    }
  }
  for (const [method, path] of [["PUT", "/apps"], ["GET", `/apps/${app}`], ["DELETE", "/apps"]] as const) {
    assert.equal((await failure(method, path)).code, "RESOURCE_NOT_FOUND");
  }
});

Deno.test("each kind of failure has the envelope, on management routes and on calls", async () => {
  const gone = "app_zzzzzzzzzzzz";
  const cases: [string, string, Parameters<TestPlatform["request"]>[2], number, string][] = [
    ["GET", "/apps", { key: null }, 401, "AUTH_REQUIRED"],
    ["GET", "/apps", { key: `bb_sk_${"f".repeat(40)}` }, 401, "AUTH_INVALID_API_KEY"],
    ["GET", "/apps", { key: "x" }, 401, "AUTH_INVALID_TOKEN"],
    ["GET", `/v1/${gone}/config`, { key: null }, 404, "RESOURCE_NOT_FOUND"],
    ["GET", `/v1/${gone}/fn/fn`, { key: null }, 404, "RESOURCE_NOT_FOUND"],
    ["GET", `/v1/${app}/fn/none`, { key: null }, 404, "RESOURCE_NOT_FOUND"],
    ["POST", "/init", { body: "{" }, 400, "REQUEST_ERROR"],
    ["POST", "/init", { body: "" }, 400, "REQUEST_ERROR"],
    ["POST", "/init", {}, 400, "REQUEST_ERROR"],
    ["POST", "/init", { body: {} }, 400, "VALIDATION_INVALID_SCHEMA"],
    ["POST", "/init", { body: "x".repeat(1024 * 1024 + 1) }, 413, "PAYLOAD_TOO_LARGE"],
    ["GET", `/v1/${app}/functions/fn/logs?limit=x`, {}, 400, "VALIDATION_INVALID_INPUT"],
    [
      "POST",
      `/v1/${app}/fn/fn`,
      { key: null, headers: { "x-butterbase-as-user": "u" } },
      403,
      "AUTH_IMPERSONATION_FORBIDDEN",
    ],
  ];
  for (const [method, path, options, status, code] of cases) {
    const answer = await failure(method, path, options);
    assert.deepEqual([answer.status, answer.code], [status, code], `${method} ${path}`);
  }
});

Deno.test("malformed JSON is told with what is wrong about it", async () => {
  for (
    const body of [
      "{",
      "{'a':1}",
      '{"a":1,}',
      '{"a":"\\u0000"}',
      '{"a":"\\ud800"}',
      '{"__proto__":1}',
      "\u{feff}x",
    ]
  ) {
    const { status, code, message } = await failure("PATCH", `/v1/${app}/env`, { body });
    assert.deepEqual([status, code], [400, "REQUEST_ERROR"], body);
    assert.match(message, /not valid JSON: ./);
  }
  const { status } = await failure("PATCH", `/v1/${app}/env`, { body: new Uint8Array([0x7b, 0xff, 0x7d]) });
  assert.equal(status, 400);
});

Deno.test("every answer has a request id of its own, and the one that a client sends is not taken", async () => {
  const seen = new Set<string>();
  const paths: [string, string][] = [
    ["GET", "/health"],
    ["GET", "/health/ready"],
    ["GET", "/v1/regions"],
    ["GET", "/apps"],
    ["GET", `/v1/${app}/config`],
    ["HEAD", `/v1/${app}/config`],
    ["OPTIONS", `/v1/${app}/config`],
    ["GET", `/v1/${app}/fn/fn`],
    ["HEAD", `/v1/${app}/fn/fn`],
    ["OPTIONS", `/v1/${app}/fn/fn`],
    ["GET", `/v1/${app}/fn/none`],
    ["GET", `/v1/${app}/fn/`],
    ["POST", `/v1/${app}/functions/fn/invoke`],
    ["GET", "/nothing"],
  ];
  for (const [method, path] of paths) {
    for (const headers of [{}, { origin: "http://localhost:3000" }, { origin: "https://evil.example.com" }]) {
      const response = await p.request(method, path, { headers: { "x-request-id": "mine", ...headers } });
      await response.body?.cancel();
      const id = response.headers.get("x-request-id") ?? "";
      assert.match(id, uuid, `${method} ${path}`);
      assert.ok(!seen.has(id));
      seen.add(id);
    }
  }
});

Deno.test("HEAD answers as GET does, without a body", async () => {
  for (
    const path of [
      "/health",
      "/apps",
      `/v1/${app}/config`,
      `/v1/${app}/functions`,
      `/v1/${app}/functions/none`,
      "/nothing",
    ]
  ) {
    const [get, head] = [await p.request("GET", path), await p.request("HEAD", path)];
    assert.equal(head.status, get.status, path);
    assert.equal(head.headers.get("content-type"), get.headers.get("content-type"), path);
    assert.equal(await head.text(), "");
    await get.body?.cancel();
  }
  assert.equal((await p.request("HEAD", "/apps", { key: null })).status, 401);
});

const preflight = (path: string, origin: string, headers: HeadersInit = {}) =>
  p.request("OPTIONS", path, {
    key: null,
    headers: { origin, "access-control-request-method": "POST", ...headers },
  });

Deno.test("a preflight is granted to the origins that the app names, on its own routes only", async () => {
  const other = await p.createApp();
  const origin = "https://shop.example.com";
  await p.json("PATCH", `/v1/${app}/config/cors`, {
    body: { allowed_origins: [origin, "http://localhost:3000"] },
  });
  for (
    const path of [`/v1/${app}/fn/fn`, `/v1/${app}/fn/fn/sub`, `/v1/${app}/functions`, `/v1/${app}/config`]
  ) {
    const granted = await preflight(path, origin, { "access-control-request-headers": "authorization" });
    assert.equal(granted.status, 204, path);
    assert.equal(granted.headers.get("access-control-allow-origin"), origin);
    assert.equal(granted.headers.get("access-control-allow-credentials"), "true");
    assert.equal(
      granted.headers.get("access-control-allow-methods"),
      "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    );
    assert.equal(
      granted.headers.get("access-control-allow-headers"),
      "Content-Type, Authorization, X-Signup-Source, X-Signup-Referrer, X-Organization-Id, X-Butterbase-As-User, Prefer",
    );
    assert.match(granted.headers.get("vary") ?? "", /Origin/);
    assert.match(granted.headers.get("x-request-id") ?? "", uuid);
    assert.equal(await granted.text(), "");
  }
  const others = [
    [`/v1/${other}/functions`, origin],
    [`/v1/${app}/functions`, "https://evil.example.com"],
    [`/v1/${app}/functions`, `${origin}/`],
    [`/v1/${app}/functions`, `${origin}:8443`],
    [`/v1/${app}/functions`, "http://shop.example.com"],
    [`/v1/${app}/functions`, "null"],
    ["/apps", origin],
    ["/init", origin],
    ["/api-keys", origin],
    ["/v1/regions", origin],
    ["/v1/app_zzzzzzzzzzzz/functions", origin],
  ] as const;
  for (const [path, from] of others) {
    const refused = await preflight(path, from);
    assert.equal(refused.headers.get("access-control-allow-origin"), null, `${path} ${from}`);
    assert.equal(
      checkEnvelope(refused.status, refused.headers, await refused.json(), path),
      "RESOURCE_NOT_FOUND",
    );
  }
});

Deno.test("answers carry the grant for the app's origins, failures too, and none for others", async () => {
  const origin = "http://localhost:3000";
  for (const path of [`/v1/${app}/fn/fn`, `/v1/${app}/fn/none`, `/v1/${app}/config`]) {
    for (const key of [ownerKey, null]) {
      const granted = await p.request("GET", path, { key, headers: { origin } });
      await granted.body?.cancel();
      assert.equal(granted.headers.get("access-control-allow-origin"), origin, path);
      assert.equal(granted.headers.get("access-control-allow-credentials"), "true");
      assert.match(granted.headers.get("access-control-expose-headers") ?? "", /x-request-id/);
      assert.match(granted.headers.get("vary") ?? "", /Origin/);
      const refused = await p.request("GET", path, { key, headers: { origin: "https://evil.example.com" } });
      await refused.body?.cancel();
      assert.equal(refused.status, granted.status, "it runs all the same");
      assert.equal(refused.headers.get("access-control-allow-origin"), null);
      assert.match(refused.headers.get("vary") ?? "", /Origin/);
    }
  }
});

Deno.test("a function that grants origins itself is not contradicted, and may answer OPTIONS", async () => {
  const url = await p.deploy(
    app,
    "own-cors",
    `export default (req) => new Response(req.method, { headers: { "access-control-allow-origin": "*" } })`,
  );
  const granted = await p.request("GET", url, { key: null, headers: { origin: "http://localhost:3000" } });
  assert.deepEqual([granted.headers.get("access-control-allow-origin"), await granted.text()], ["*", "GET"]);
  assert.equal(granted.headers.get("access-control-allow-credentials"), null);
  const asked = await preflight(`/v1/${app}/fn/own-cors`, "https://elsewhere.example.com");
  assert.deepEqual([asked.headers.get("access-control-allow-origin"), await asked.text()], ["*", "OPTIONS"]);
});

Deno.test("requests that no client would send are answered too", async () => {
  const lines = [
    "OPTIONS *",
    "GET http://elsewhere.example.com/health",
    "GET /%",
    "GET /v1/%/config",
    `GET /v1/${app}/functions/%E0%A4%A`,
    `GET /v1/${app}/functions/..`,
    `GET /v1/${app}/fn/%00`,
    `GET /v1/${app}/fn/%2e%2e%2f`,
    `GET /v1/${app}/fn//`,
    `GET /v1/%61pp_zzzzzzzzzzzz/fn/fn`,
    `GET /v1/${app}/%66n/fn`,
    "GET //evil.example.com/apps",
    "GET /?" + "a=".repeat(3000),
    "PROPFIND /apps",
    "TRACE /apps",
    "CONNECT example.com:80",
  ];
  for (const line of lines) {
    const { status } = await rawRequest(p.origin, line, [`authorization: Bearer ${ownerKey}`]);
    assert.ok(status >= 200 && status < 500, `${line}: ${status}`);
  }
  assert.equal((await p.json("GET", "/health")).status, 200);
});

/** A generator of numbers from 0 to 1 that gives the same ones each time. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Fuzz {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }
  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#random() * items.length)] as Item;
  }
  text(): string {
    const odd = [
      "",
      "\0",
      "\ud800",
      "😀",
      "../..",
      "'; drop table apps; --",
      "%00",
      "null",
      "-1",
      "1e999",
      "fn",
      app,
      "a\nb\r\n",
    ];
    return this.pick([
      ...odd,
      "x".repeat(300),
      crypto.randomUUID(),
      "http",
      "https://a.example.com",
      "*",
      "app:*",
      "2026-01-01",
    ]);
  }
  value(depth = 0): unknown {
    const plain = [null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, 64, "fn", this.text(), this.text()];
    if (depth > 3 || this.#random() < 0.5) return this.pick(plain);
    if (this.#random() < 0.4) {
      return Array.from({ length: Math.floor(this.#random() * 4) }, () => this.value(depth + 1));
    }
    return this.object(depth + 1);
  }
  object(depth = 0): Record<string, unknown> {
    const known = [
      "name",
      "subdomain",
      "region",
      "allowed_origins",
      "allowedOrigins",
      "paused",
      "reason",
      "envVars",
      "email",
    ];
    const key = [
      "key_scope",
      "target_app_id",
      "additional_scopes",
      "scopes",
      "scope",
      "allow_service_key_impersonation",
    ];
    const draft = [
      "description",
      "timeoutMs",
      "memoryLimitMb",
      "trigger",
      "triggers",
      "type",
      "config",
      "auth",
      "method",
      "path",
    ];
    const names = [...known, ...key, ...draft, "enabled", "A", "replaceEnv", "agent_tool", "constructor"];
    const fields = Array.from({ length: Math.floor(this.#random() * 6) }, () => {
      const name = this.#random() < 0.9 ? this.pick(names) : this.text();
      return [name, this.value(depth + 1)];
    });
    return Object.fromEntries(fields);
  }
  body(): BodyInit | null {
    const kind = this.#random();
    if (kind < 0.75) return JSON.stringify(this.#random() < 0.85 ? this.object() : this.value());
    if (kind < 0.85) return JSON.stringify(this.object()).slice(0, Math.floor(this.#random() * 40));
    if (kind < 0.9) return null;
    return Uint8Array.from({ length: 50 }, () => Math.floor(this.#random() * 256));
  }
  query(): string {
    const names = ["limit", "since", "level", "include_deleted", "scope", this.text()];
    const pairs = Array.from(
      { length: Math.floor(this.#random() * 3) },
      () =>
        `${encodeURIComponent(this.pick(names).toWellFormed())}=${
          encodeURIComponent(this.text().toWellFormed())
        }`,
    );
    return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
  }
  /** The route with each parameter filled in, sometimes with what exists. */
  path(pattern: string): string {
    const odd = () =>
      this.pick([
        "%00",
        "%2f",
        "%F0%9F%92%A9",
        "%E0%A4%A",
        "%25",
        encodeURIComponent(this.text().toWellFormed()),
      ]);
    return pattern.replace("*", "sub").replace(/:(\w+)/g, (_, name) => {
      if (name === "app_id") return this.#random() < 0.8 ? app : odd() || "x";
      if (name === "name") return this.#random() < 0.7 ? "fn" : odd() || "x";
      return this.#random() < 0.3 ? crypto.randomUUID() : odd() || "x";
    });
  }
}

Deno.test("random bodies, parameters and queries on every route give no 5xx, and failures have the envelope", async () => {
  const endless = "/v1/:app_id/functions/:name/logs/stream";
  const routes = p.platform.routes.filter(({ path }) => !["/*", "*", endless].includes(path));
  const fuzz = new Fuzz(20_260_310);
  const statuses = new Map<number, number>();
  for (let round = 0; round < 900; round++) {
    const route = routes[round % routes.length] ?? fuzz.pick(routes);
    const method = route.method === "ALL" ? fuzz.pick(["GET", "POST", "PUT", "DELETE"]) : route.method;
    // What it fuzzes must stay there.
    if (method === "DELETE" && route.path === "/apps/:app_id") continue;
    const path = fuzz.path(route.path) + fuzz.query();
    const body = method === "GET" ? null : fuzz.body();
    const response = await p.request(method, path, {
      body,
      headers: {
        "content-type": fuzz.pick(["application/json", "text/plain", "multipart/form-data", "x"]),
        ...(round % 5 === 0 ? { "x-butterbase-as-user": fuzz.pick(["u1", "x".repeat(2000), "'; --"]) } : {}),
      },
    });
    const text = await response.text();
    const place = `round ${round}: ${method} ${path} ${
      typeof body === "string" ? body : "(bytes)"
    } → ${response.status} ${text}`;
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    const paused = response.status === 503 && text.includes("APP_PAUSED");
    assert.ok(response.status < 500 || paused, place);
    if (response.status >= 400) checkEnvelope(response.status, response.headers, JSON.parse(text), place);
  }
  // It is a test of something only if much of it was understood.
  assert.ok((statuses.get(200) ?? 0) > 50, JSON.stringify([...statuses]));
  assert.ok((statuses.get(400) ?? 0) > 50, JSON.stringify([...statuses]));
  assert.equal((await p.json("GET", "/health/ready")).status, 200);
});
