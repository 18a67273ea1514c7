import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { RawConnection, rawRequest } from "./harness/raw_http.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

/** An app with one open function, whose handler has this body. */
async function deployed(
  body: string,
  options: Record<string, unknown> = {},
): Promise<{ app: string; url: string; path: string }> {
  const app = await p.createApp();
  const code = `export default async function handler(req: Request, ctx: any): Promise<any> {\n${body}\n}`;
  const url = await p.deploy(app, "probe", code, options);
  return { app, url, path: new URL(url).pathname };
}

/** Answers with what it was given. */
const mirror = `return Response.json({
  method: req.method, url: req.url, headers: Object.fromEntries(req.headers), hasBody: req.body !== null,
  text: await req.text(),
});`;

function errorOf(body: { error: Record<string, unknown> }, response: Response): Record<string, unknown> {
  const { error } = body;
  assert.deepEqual(
    Object.keys(error).filter((key) => key !== "details").sort(),
    ["code", "documentation_url", "message", "remediation", "request_id"],
  );
  assert.notEqual(error["remediation"], "");
  assert.equal(error["request_id"], response.headers.get("x-request-id"));
  return error;
}

async function refusal(response: Response): Promise<{ status: number; code: unknown; text: string }> {
  const text = await response.text();
  return { status: response.status, code: errorOf(JSON.parse(text), response)["code"], text };
}

// How a handler may be written.

const forms: Record<string, string> = {
  "export default async function":
    `export default async function handler(req, ctx) { return new Response("ok " + ctx.request.functionName); }`,
  "an anonymous default arrow": `export default (req, ctx) => new Response("ok " + ctx.request.functionName)`,
  "export async function handler":
    `export async function handler(req: Request, ctx: any): Promise<Response> { return new Response("ok " + ctx.request.functionName); }`,
  "export const handler":
    `export const handler = (req: Request, ctx: any) => new Response("ok " + ctx.request.functionName);`,
  "export default { fetch }":
    `export default { async fetch(req: Request, ctx: any) { return new Response("ok " + ctx.request.functionName); } };`,
  "Deno.serve(handler)":
    `Deno.serve((req: Request, ctx: any) => new Response("ok " + ctx.request.functionName));`,
};
for (const [form, code] of Object.entries(forms)) {
  Deno.test(`a handler may be written as ${form}`, async () => {
    const app = await p.createApp();
    const url = await p.deploy(app, "form", code);
    const response = await fetch(url);
    assert.equal(await response.text(), "ok form");
    assert.equal(response.status, 200);
  });
}

// What a handler sees.

Deno.test("a handler sees the public URL, with the sub-path and the query as they were sent", async () => {
  const { url, path } = await deployed(mirror);
  const seen = async (suffix: string) => (await (await fetch(`${url}${suffix}`)).json()).url;
  assert.equal(await seen(""), url);
  assert.equal(await seen("/"), `${url}/`);
  assert.equal(await seen("/items/7"), `${url}/items/7`);
  assert.equal(await seen("/a%2Fb/%C3%A9?x=1&x=2&e=%20+%25"), `${url}/a%2Fb/%C3%A9?x=1&x=2&e=%20+%25`);
  assert.equal(await seen("?x=1?y=2"), `${url}?x=1?y=2`);
  assert.equal(await seen("?"), `${url}?`);
  const other = await rawRequest(p.origin, `GET ${path}?a=b`, ["x-forwarded-host: evil.example"]);
  assert.equal(JSON.parse(other.text).url, `${url}?a=b`);
  const encoded = await rawRequest(p.origin, `GET ${path.replace("/fn/probe", "/fn/%70robe")}/deeper?a=b`);
  assert.equal(JSON.parse(encoded.text).url, `${url}/deeper?a=b`);
});

Deno.test("every method reaches the handler, and TRACE is refused by name", async () => {
  const { url, path } = await deployed(mirror);
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
    const response = await fetch(url, { method });
    assert.equal((await response.json()).method, method);
  }
  const traced = await rawRequest(p.origin, `TRACE ${path}`);
  assert.equal(traced.status, 405);
  assert.equal(JSON.parse(traced.text).error.code, "METHOD_NOT_ALLOWED");
  assert.match(String(traced.headers.find(([name]) => name === "allow")?.[1]), /GET, HEAD, POST/);
});

Deno.test("headers reach the handler, but for those of the connection", async () => {
  const { app, path } = await deployed(mirror);
  const { text } = await rawRequest(p.origin, `POST ${path}`, [
    "User-Agent: tester/1",
    "Origin: https://shop.example",
    "Cookie: a=1",
    "Cookie: b=2",
    "X-Custom: as it is",
    "X-Twice: 1",
    "X-Twice: 2",
    "Authorization: Bearer whatever",
    "Accept: text/html",
    "Accept-Encoding: gzip, br",
    "Content-Type: text/plain",
    "Content-Encoding: identity",
    "Content-Length: 2",
    "TE: trailers",
    "Keep-Alive: timeout=5",
    "Proxy-Authorization: Basic eDp5",
    "Proxy-Connection: close",
    "Trailer: x-sum",
    "Upgrade: h2c",
  ], "hi");
  const { headers } = JSON.parse(text);
  assert.deepEqual(headers, {
    "user-agent": "tester/1",
    origin: "https://shop.example",
    cookie: "a=1; b=2",
    "x-custom": "as it is",
    "x-twice": "1, 2",
    authorization: "Bearer whatever",
    accept: "text/html",
    "accept-encoding": "identity",
    "content-type": "text/plain",
    "x-app-id": app,
    "x-user-id": "",
    "x-butterbase-caller-type": "anonymous",
  });
});

Deno.test("what only the platform may say cannot be said by a caller", async () => {
  const { app, url } = await deployed(mirror);
  const spoofed = {
    "x-user-id": "somebody",
    "x-app-id": "app_000000000000",
    "x-trigger-type": "cron",
    "x-trigger-id": "1",
    "x-webhook-provider": "stripe",
    "x-butterbase-caller-type": "service_key",
    "x-butterbase-caller-key-id": "k",
    "x-butterbase-caller-scope": "*",
    "x-butterbase-caller-source-fn": "other",
    "x-butterbase-loop-depth": "3",
  };
  const { headers } = await (await fetch(url, { headers: spoofed })).json();
  assert.equal(headers["x-user-id"], "");
  assert.equal(headers["x-app-id"], app);
  assert.equal(headers["x-butterbase-caller-type"], "anonymous");
  for (const name of Object.keys(spoofed)) {
    if (!["x-user-id", "x-app-id", "x-butterbase-caller-type"].includes(name)) {
      assert.equal(headers[name], undefined, name);
    }
  }

  const token = await p.userToken(app, "user-1");
  const known = await (await fetch(url, { headers: { ...spoofed, authorization: `Bearer ${token}` } }))
    .json();
  assert.equal(known.headers["x-user-id"], "user-1");
  assert.equal(known.headers["x-butterbase-caller-type"], "end_user_jwt");
});

Deno.test("a body reaches the handler as the bytes that were sent, whatever its type says", async () => {
  const { url } = await deployed(`return new Response(await req.bytes(), {
    headers: { "content-type": "application/octet-stream", "x-type": req.headers.get("content-type") ?? "none" },
  });`);
  const everyByte = Uint8Array.from({ length: 256 }, (_, at) => at);
  const bodies: [type: string, body: BodyInit][] = [
    ["application/json", '{ "a" : 1, "a": 2, "big": 12345678901234567890, "__proto__": null }'],
    ["application/json", "not json"],
    ["application/json", "null"],
    ["text/plain;charset=utf-8", "naïve 😀"],
    ["application/x-www-form-urlencoded", "a=1&b=%20"],
    ["application/octet-stream", everyByte],
    ["image/png", new Blob([everyByte])],
  ];
  for (const [type, body] of bodies) {
    const response = await fetch(url, { method: "POST", body, headers: { "content-type": type } });
    assert.equal(response.headers.get("x-type"), type);
    assert.deepEqual(await response.bytes(), await new Response(body).bytes());
  }
});

Deno.test("a handler reads JSON, forms and files with the methods of Request", async () => {
  const { url } = await deployed(`
    if (req.headers.get("content-type") === "application/json") return Response.json(await req.json());
    const form = await req.formData();
    const file = form.get("file");
    return Response.json({ a: form.getAll("a"), file: file && [file.name, file.type, [...await file.bytes()]] });`);
  const send = async (body: BodyInit, headers: HeadersInit = {}) =>
    await (await fetch(url, { method: "POST", body, headers })).json();
  assert.deepEqual(await send('{"x":[1]}', { "content-type": "application/json" }), { x: [1] });
  assert.deepEqual(await send(new URLSearchParams([["a", "1"], ["a", "2"]])), { a: ["1", "2"], file: null });
  const form = new FormData();
  form.append("a", "é");
  form.append("file", new File([new Uint8Array([0, 255, 128])], "b.bin", { type: "image/png" }));
  assert.deepEqual(await send(form), { a: ["é"], file: ["b.bin", "image/png", [0, 255, 128]] });
});

Deno.test("a request without a body has none for the handler, however that was said", async () => {
  const { url, path } = await deployed(mirror);
  for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS"]) {
    const { hasBody, text } = await (await fetch(url, { method })).json();
    assert.deepEqual({ hasBody, text }, { hasBody: false, text: "" }, method);
  }
  for (const line of [`POST ${path}`, `DELETE ${path}`]) {
    assert.equal(JSON.parse((await rawRequest(p.origin, line)).text).hasBody, false, line);
  }
  const empty = await rawRequest(p.origin, `POST ${path}`, ["content-length: 0"]);
  assert.equal(JSON.parse(empty.text).hasBody, false);
  const got = await rawRequest(p.origin, `GET ${path}`, ["content-length: 5"], "12345");
  assert.deepEqual([got.status, JSON.parse(got.text).hasBody], [200, false]);
});

// What the caller gets.

Deno.test("status, headers and body of the answer are the handler's", async () => {
  const { url } = await deployed(`
    const status = Number(new URL(req.url).searchParams.get("status"));
    return new Response("body of " + status, { status, headers: { "x-own": "1", "content-type": "text/x-own" } });`);
  for (const status of [200, 201, 400, 401, 404, 418, 429, 500, 503, 599]) {
    const response = await fetch(`${url}?status=${status}`);
    assert.equal(response.status, status);
    assert.equal(response.headers.get("x-own"), "1");
    assert.equal(response.headers.get("content-type"), "text/x-own");
    assert.equal(await response.text(), `body of ${status}`);
  }
});

Deno.test("several Set-Cookie stay several", async () => {
  const { url } = await deployed(`return new Response("x", { headers: [
    ["set-cookie", "a=1; Path=/"], ["set-cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"], ["x-m", "1"], ["x-m", "2"],
  ] });`);
  const response = await fetch(url);
  assert.deepEqual(response.headers.getSetCookie(), [
    "a=1; Path=/",
    "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
  ]);
  assert.equal(response.headers.get("x-m"), "1, 2");
  await response.body?.cancel();
});

Deno.test("a redirect goes to the caller, and is not followed", async () => {
  const { app, url } = await deployed(`
    const to = new URL(req.url).searchParams.get("to");
    return to === null ? new Response("arrived") : Response.redirect(new URL(to, req.url), 307);`);
  const response = await fetch(`${url}?to=/elsewhere`, { redirect: "manual" });
  assert.equal(response.status, 307);
  assert.equal(response.headers.get("location"), `${p.origin}/elsewhere`);
  await response.body?.cancel();
  assert.equal(await (await fetch(`${url}?to=${encodeURIComponent(url)}`)).text(), "arrived");
  const rows = await p.logs(app, "probe", { count: 3 });
  assert.deepEqual(rows.map(({ statusCode }) => statusCode).sort(), [200, 307, 307]);
});

Deno.test("HEAD reaches the handler, and is answered with GET's headers and no body", async () => {
  const { app, url, path } = await deployed(`
    if (new URL(req.url).searchParams.has("stream")) {
      return new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1000)) }), { headers: { "x-m": req.method } });
    }
    return new Response("hello", { headers: { "x-m": req.method } });`);
  const whole = await rawRequest(p.origin, `HEAD ${path}`);
  const headers = new Headers(whole.headers);
  assert.deepEqual([whole.status, headers.get("x-m"), headers.get("content-length")], [200, "HEAD", "5"]);
  const streamed = await fetch(`${url}?stream`, { method: "HEAD" });
  assert.deepEqual([streamed.status, streamed.headers.get("x-m"), await streamed.text()], [200, "HEAD", ""]);
  // The stream is not left to run on unread.
  assert.equal((await p.logs(app, "probe", { count: 2 })).length, 2);
});

Deno.test("204 and 304 come without a body, other answers may be empty", async () => {
  const { url } = await deployed(`
    const status = Number(new URL(req.url).searchParams.get("status"));
    return new Response(null, { status, headers: { etag: '"1"' } });`);
  for (const status of [200, 204, 205, 304, 404]) {
    const response = await fetch(`${url}?status=${status}`);
    assert.equal(response.status, status);
    assert.equal(response.headers.get("etag"), '"1"');
    assert.equal(await response.text(), "");
  }
});

Deno.test("an answer without a content type is application/octet-stream", async () => {
  const { url } = await deployed(`return new Response(new Uint8Array([1, 2]));`);
  const response = await fetch(url);
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  assert.deepEqual(await response.bytes(), new Uint8Array([1, 2]));
});

Deno.test("what a handler says of length, encoding and connection is not believed", async () => {
  const { url, path } = await deployed(`return new Response("hello", { headers: {
    "content-length": "99", "content-encoding": "gzip", "transfer-encoding": "chunked", connection: "upgrade",
    upgrade: "x", "x-request-id": "mine", "keep-alive": "timeout=1",
  } });`);
  assert.equal(await (await fetch(url)).text(), "hello");
  const { headers, text } = await rawRequest(p.origin, `GET ${path}`);
  const got = new Headers(headers);
  assert.equal(text, "hello");
  assert.equal(got.get("content-length"), "5");
  for (const name of ["content-encoding", "transfer-encoding", "upgrade", "keep-alive"]) {
    assert.equal(got.get(name), null, name);
  }
  assert.match(String(got.get("x-request-id")), /^[0-9a-f-]{36}$/);
});

Deno.test("x-request-id is ctx.request.id and the id of the log row, and not what the caller sends", async () => {
  const { app, url } = await deployed(`return new Response(ctx.request.id);`);
  const response = await fetch(url, { headers: { "x-request-id": "mine" } });
  const id = response.headers.get("x-request-id");
  assert.equal(await response.text(), id);
  const [row] = await p.logs(app, "probe");
  assert.equal(row.id, id);
  assert.deepEqual(
    [row.method, row.path, row.statusCode, row.triggerType, row.error],
    ["GET", `/v1/${app}/fn/probe`, 200, "http", null],
  );
});

// What goes wrong in a handler.

Deno.test("a thrown error is hidden from the caller, and logged with the developer's own line", async () => {
  const app = await p.createApp();
  const code = [
    "interface Order { id: number }",
    "",
    "function check(order: Order): never {",
    '  throw new RangeError(`order ${order.id} is secret`, { cause: new Error("the root") });',
    "}",
    "",
    "export default async function handler(req: Request): Promise<Response> {",
    "  await req.text();",
    "  return check({ id: 7 });",
    "}",
  ].join("\n");
  const url = await p.deploy(app, "thrower", code);
  const response = await fetch(url);
  const { status, code: named, text } = await refusal(response);
  assert.deepEqual([status, named], [500, "FUNCTION_THREW"]);
  assert.doesNotMatch(text, /secret|RangeError|thrower\.ts|order|:4:/);

  const [row] = await p.logs(app, "thrower");
  assert.equal(row.id, response.headers.get("x-request-id"));
  assert.deepEqual([row.statusCode, row.error], [500, "order 7 is secret"]);
  assert.match(row.stack, /^RangeError: order 7 is secret\n {4}at check \(thrower\.ts:4:9\)/);
  assert.match(row.stack, /at (async )?handler \(thrower\.ts:9:\d+\)/);
  assert.match(row.stack, /Caused by: Error: the root\n {4}at check \(thrower\.ts:4:\d+\)/);
  assert.doesNotMatch(row.stack, /blob:|file:|bootstrap|invocations\.ts/);
});

const throws: [what: string, thrown: string, message: RegExp][] = [
  ["a string", `"only text"`, /^only text$/],
  ["null", "null", /^null$/],
  ["undefined", "undefined", /^undefined$/],
  ["a number", "42", /^42$/],
  ["a symbol", `Symbol("odd")`, /odd/],
  ["an object", `{ code: "E_ODD", detail: { a: 1 } }`, /E_ODD/],
  ["an object that cannot be read", `{ get [Symbol.toStringTag]() { throw new Error("no"); } }`, /./],
  [
    "an Error whose stack throws",
    `Object.defineProperty(new Error("x"), "stack", { get() { throw 1; } })`,
    /./,
  ],
  [
    "a Proxy that refuses everything",
    `new Proxy({}, { get() { throw new Error("no"); }, getPrototypeOf() { throw new Error("no"); } })`,
    /./,
  ],
  ["an Error with an enormous message", `new Error("y".repeat(5_000_000))`, /^y{10000}$/],
  ["an Error with NUL and a lone surrogate", `new Error("a\\0b\\ud800c")`, /^a.b.c$/u],
];
for (const [what, thrown, message] of throws) {
  Deno.test(`a handler that throws ${what} answers FUNCTION_THREW and is logged`, async () => {
    const { app, url } = await deployed(`throw ${thrown};`, { timeoutMs: 5000 });
    const { status, code } = await refusal(await fetch(url));
    assert.deepEqual([status, code], [500, "FUNCTION_THREW"]);
    const [row] = await p.logs(app, "probe");
    assert.equal(row.statusCode, 500);
    assert.match(row.error, message);
  });
}

const badResponses: [what: string, body: string, message: RegExp][] = [
  ["nothing", "", /returned nothing/],
  ["null", "return null;", /returned null/],
  ["a plain object", "return { status: 200, body: 'x' };", /returned an object \(Object\)/],
  ["a string", "return 'hello';", /returned a string/],
  ["a used body", "const r = new Response('x'); await r.text(); return r;", /already read/],
  [
    "a body that is being read",
    "const r = new Response(new ReadableStream({ pull() {} })); r.body!.getReader(); return r;",
    /already read|locked/,
  ],
  [
    "the same response twice",
    "return globalThis.kept ??= new Response(new Blob(['x']).stream());",
    /already read/,
  ],
  ["status 101", "return new Response(null, { status: 101 });", /status 101/],
  ["Response.error()", "return Response.error();", /status 0/],
];
for (const [what, body, message] of badResponses) {
  Deno.test(`a handler that returns ${what} answers FUNCTION_BAD_RESPONSE and is logged`, async () => {
    const { app, url } = await deployed(body, { timeoutMs: 5000 });
    if (what === "the same response twice") assert.equal(await (await fetch(url)).text(), "x");
    const { status, code } = await refusal(await fetch(url));
    assert.deepEqual([status, code], [500, "FUNCTION_BAD_RESPONSE"]);
    const [row] = await p.logs(app, "probe");
    assert.equal(row.statusCode, 500);
    assert.match(row.error, message);
  });
}

Deno.test("a handler's `this` is nothing of the platform's", async () => {
  const app = await p.createApp();
  const url = await p.deploy(
    app,
    "own",
    `export default async function (req) { return Response.json([typeof this]); }`,
  );
  assert.deepEqual(await (await fetch(url)).json(), ["undefined"]);
});

Deno.test("what nobody awaits and nobody catches hurts no other call", async () => {
  const { app, url } = await deployed(`
    const kind = new URL(req.url).searchParams.get("kind");
    if (kind === "rejection") Promise.reject(new Error("nobody waits"));
    if (kind === "timer") setTimeout(() => { throw new Error("nobody catches"); }, 5);
    if (kind === "late") setTimeout(() => Promise.reject(null), 5);
    if (kind === "thenable") Promise.resolve().then(() => { throw Symbol("odd"); });
    await new Promise((r) => setTimeout(r, 100));
    return new Response("alive " + (globalThis.calls = (globalThis.calls ?? 0) + 1));`);
  const kinds = ["rejection", "none", "timer", "none", "late", "thenable", "none"];
  const texts = await Promise.all(
    kinds.map(async (kind) => await (await fetch(`${url}?kind=${kind}`)).text()),
  );
  assert.deepEqual(texts.toSorted(), kinds.map((_, at) => `alive ${at + 1}`), "one isolate served them all");
  const rows = await p.logs(app, "probe", { count: kinds.length });
  assert.ok(rows.every(({ statusCode, error }) => statusCode === 200 && error === null));
  const printed = rows.flatMap(({ consoleLogs }) => consoleLogs).map((
    { level, message },
  ) => [level, message]);
  assert.equal(printed.length, 4);
  const [rejected] = printed.filter(([, message]) => message.includes("nobody waits"));
  assert.deepEqual(rejected?.[0], "error");
  assert.match(rejected?.[1], /^Uncaught Error: nobody waits\n {4}at handler \(probe\.ts:4:\d+\)/);
  assert.match(printed.map(([, message]) => message).join("\n"), /Uncaught Error: nobody catches/);
});

// What a handler prints.

Deno.test("console output is in the log: levels, values as Deno prints them, errors with their stack", async () => {
  const { app, url } = await deployed(`
    console.log("plain", 1, true, null, undefined, 10n);
    console.info({ a: 1, nested: { list: [1, "two"] } }, [1, 2]);
    console.warn(new Map([["k", new Set([1])]]), new Date(0), /re/g, Symbol("s"));
    console.error(new TypeError("it broke"));
    console.debug("%s is %d%%", "half", 50, "more");
    const loop: any = { name: "loop" }; loop.self = loop;
    console.log(loop);
    console.log({ get bad() { throw new Error("getter"); } });
    console.log(new Proxy({}, { ownKeys() { throw new Error("proxy"); } }));
    console.log("");
    console.log();
    return new Response("done");`);
  const before = Date.now();
  await (await fetch(url)).text();
  const [{ consoleLogs }] = await p.logs(app, "probe");
  const lines = consoleLogs.map(({ level, message }: { level: string; message: string }) => [level, message]);
  assert.deepEqual(lines[0], ["log", "plain 1 true null undefined 10n"]);
  assert.deepEqual(lines[1], ["info", '{ a: 1, nested: { list: [ 1, "two" ] } } [ 1, 2 ]']);
  assert.deepEqual(lines[2], [
    "warn",
    'Map(1) { "k" => Set(1) { 1 } } 1970-01-01T00:00:00.000Z /re/g Symbol(s)',
  ]);
  assert.equal(lines[3][0], "error");
  assert.match(lines[3][1], /^TypeError: it broke\n {4}at handler \(probe\.ts:6:\d+\)/);
  assert.doesNotMatch(lines[3][1], /blob:|file:/);
  assert.deepEqual(lines[4], ["debug", "half is 50% more"]);
  assert.match(lines[5][1], /\[Circular/);
  assert.match(lines[6][1], /bad: \[(Getter|Thrown)/);
  assert.equal(lines[7][0], "log");
  assert.deepEqual(lines.slice(8), [["log", ""], ["log", ""]]);
  for (const { timestamp } of consoleLogs) {
    assert.ok(timestamp >= before - 1000 && timestamp <= Date.now() + 1000);
  }
});

Deno.test("the log keeps the first 100 entries, each up to 10,000 characters, and says that there were more", async () => {
  const { app, url } = await deployed(`
    console.log("x".repeat(20_000));
    console.log({ text: "y".repeat(20_000) });
    for (let n = 2; n < 300; n++) console.log("line " + n);
    return new Response("done");`);
  await (await fetch(url)).text();
  const [{ consoleLogs }] = await p.logs(app, "probe");
  assert.equal(consoleLogs.length, 101);
  assert.match(consoleLogs[100].message, /not kept/);
  assert.equal(consoleLogs[0].message, "x".repeat(10_000));
  assert.equal(consoleLogs[1].message.length, 10_000);
  assert.equal(consoleLogs[99].message, "line 99");
  // The next call has its own hundred.
  await (await fetch(url)).text();
  const rows = await p.logs(app, "probe", { count: 2 });
  assert.deepEqual(rows.map((row) => row.consoleLogs.length), [101, 101]);
});

Deno.test("calls that share an isolate keep their output apart", async () => {
  const { app, url } = await deployed(`
    const n = new URL(req.url).searchParams.get("n");
    for (let at = 0; at < 5; at++) {
      console.log(n + " step " + at);
      await new Promise((r) => setTimeout(r, Math.random() * 10));
      queueMicrotask(() => console.log(n + " micro " + at));
      await ctx.db.query("select 1");
    }
    await Promise.all([1, 2].map(async (m) => { await null; console.log(n + " all " + m); }));
    return new Response(n);`);
  const names = Array.from({ length: 20 }, (_, at) => `call-${at}`);
  await Promise.all(names.map(async (n) => assert.equal(await (await fetch(`${url}?n=${n}`)).text(), n)));
  const rows = await p.logs(app, "probe", { count: names.length });
  const seen = rows.map(({ consoleLogs }) => {
    const owners = new Set(consoleLogs.map(({ message }: { message: string }) => message.split(" ")[0]));
    assert.equal(owners.size, 1, JSON.stringify(consoleLogs));
    assert.equal(consoleLogs.length, 12);
    return [...owners][0];
  });
  assert.deepEqual(seen.sort(), names.sort());
});

Deno.test("what waitUntil and a streamed body print after the answer is in the call's own log row", async () => {
  const { app, url } = await deployed(`
    console.log("before");
    ctx.waitUntil((async () => {
      await new Promise((r) => setTimeout(r, 300));
      console.log("in background", ctx.request.id);
    })());
    let n = 0;
    return new Response(new ReadableStream({
      async pull(controller) {
        await new Promise((r) => setTimeout(r, 20));
        console.log("chunk " + ++n);
        if (n === 3) return controller.close();
        controller.enqueue(new TextEncoder().encode("."));
      },
    }));`);
  const response = await fetch(url);
  assert.equal(await response.text(), "..");
  const [{ consoleLogs, id }] = await p.logs(app, "probe");
  assert.equal(id, response.headers.get("x-request-id"));
  assert.deepEqual(consoleLogs.map(({ message }: { message: string }) => message), [
    "before",
    "chunk 1",
    "chunk 2",
    "chunk 3",
    `in background ${id}`,
  ]);
});

Deno.test("what a module prints while it loads is in the log of the first call", async () => {
  const app = await p.createApp();
  const url = await p.deploy(
    app,
    "loader",
    `console.warn("loading"); export default () => { console.log("called"); return new Response("x"); };`,
  );
  await (await fetch(url)).text();
  await (await fetch(url)).text();
  const rows = await p.logs(app, "loader", { count: 2 });
  assert.deepEqual(
    rows.map((row) => row.consoleLogs.map(({ message }: { message: string }) => message)),
    [["called"], ["loading", "called"]],
  );
});

Deno.test("one connection carries many calls", async () => {
  const { path } = await deployed(`return new Response(await req.text());`);
  using connection = await RawConnection.open(p.origin);
  for (const word of ["one", "two", "three"]) {
    await connection.send(
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${word.length}\r\n\r\n${word}`,
    );
    assert.equal((await connection.answer()).text, word);
  }
});
