// What a function may not do, who is told, and what becomes of the others: each failure has its name, and none is a 500
// of the platform's.

import assert from "node:assert/strict";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { rawRequest } from "./harness/raw_http.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  const pids = p.platform.isolates.pids();
  await p[Symbol.asyncDispose]();
  for (const pid of pids) assert.equal(isAlive(pid), false, `the isolate host ${pid} outlived the server`);
});

/** An app with one open function `probe`, whose handler has this body. */
async function deployed(
  body: string,
  options: Record<string, unknown> = {},
  on: TestPlatform = p,
): Promise<{ app: string; url: string; path: string }> {
  const app = await on.createApp();
  const url = await add(app, "probe", body, options, on);
  return { app, url, path: new URL(url).pathname };
}

function add(
  app: string,
  name: string,
  body: string,
  options: Record<string, unknown> = {},
  on: TestPlatform = p,
): Promise<string> {
  return on.deploy(
    app,
    name,
    `import process from "node:process";
    const state: any = {};
    const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    export default async function handler(req: Request, ctx: any): Promise<any> {\n${body}\n}`,
    options,
  );
}

interface Failure {
  status: number;
  code: string;
  message: string;
  details: Record<string, unknown> | undefined;
  headers: Headers;
  id: string;
}

/** The documented envelope, whole. */
async function failure(response: Response | Promise<Response>): Promise<Failure> {
  const { status, headers, text } = await read(response);
  let error;
  try {
    ({ error } = JSON.parse(text));
  } catch {
    throw new Error(`Not an envelope: ${status} ${text.slice(0, 500)}`);
  }
  const { code, message, remediation, documentation_url: _, details, request_id: id, ...others } = error;
  assert.deepEqual(others, {});
  assert.equal(typeof code, "string");
  assert.ok(typeof message === "string" && message !== "");
  assert.ok(typeof remediation === "string" && remediation !== "");
  assert.equal(id, headers.get("x-request-id"));
  assert.match(String(headers.get("content-type")), /^application\/json/);
  return { status, code, message, details, headers, id: String(id) };
}

async function read(given: Response | Promise<Response>) {
  const response = await given;
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function isAlive(pid: number): boolean {
  try {
    // A process that was killed and not yet waited for has no memory left.
    return Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[0] !== "0";
  } catch {
    return false;
  }
}

/** The process is gone, and no longer counted, within a second. */
async function assertGone(pid: number): Promise<void> {
  assert.ok(Number.isInteger(pid) && pid > 1);
  const began = performance.now();
  while (isAlive(pid) || p.platform.isolates.pids().includes(pid)) {
    assert.ok(performance.now() - began < 1000, `the isolate host ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// deno-lint-ignore no-explicit-any -- what a route answers is what a test looks at.
async function rowOf(app: string, id: string, name = "probe"): Promise<any> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const row = (await p.logs(app, name)).find((line) => line.id === id);
    if (row !== undefined) return row;
    if (performance.now() > deadline) throw new Error(`No log row ${id}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const messages = (row: { consoleLogs: { message: string }[] }) =>
  row.consoleLogs.map(({ message }) => message);

// Time.

const stuck: [what: string, body: string][] = [
  ["an endless loop", "for (;;);"],
  ["a storm of microtasks", "for (;;) await null;"],
  ["a runaway regular expression", `/^(a+)+$/.test("a".repeat(50) + "b");`],
  ["a sleep that is too long", "await sleep(60_000);"],
  ["a promise that nothing settles", "await new Promise(() => {});"],
  [
    "a busy timer",
    "setInterval(() => { const until = Date.now() + 20; while (Date.now() < until); }, 0); await sleep(60_000);",
  ],
  [
    "synchronous work of the runtime",
    `const { pbkdf2Sync } = await import("node:crypto"); pbkdf2Sync("a", "b", 100_000_000, 64, "sha512");`,
  ],
];
for (const [what, body] of stuck) {
  Deno.test(`${what} is FUNCTION_TIMEOUT, its output is logged, its process is gone`, async () => {
    const { app, url } = await deployed(
      `if (req.method === "POST") return Response.json(process.pid);
      console.log(String(process.pid));
      console.warn("about to");
      ${body}
      return new Response("never");`,
      { timeoutMs: 700 },
    );
    const began = performance.now();
    const failed = await failure(fetch(url));
    assert.deepEqual([failed.status, failed.code], [504, "FUNCTION_TIMEOUT"]);
    assert.deepEqual(failed.details, { timeout_ms: 700 });
    assert.ok(performance.now() - began < 5000);
    const row = await rowOf(app, failed.id);
    assert.deepEqual([row.statusCode, row.status], [504, "failed"]);
    assert.match(row.error, /700 ms/);
    const [pid, ...rest] = messages(row);
    assert.deepEqual(rest, ["about to"]);
    await assertGone(Number(pid));
    const fresh = await read(fetch(url, { method: "POST" }));
    assert.equal(fresh.status, 200);
    assert.notEqual(fresh.text, pid);
  });
}

Deno.test("a handler sees its time run out on req.signal, if it still runs", async () => {
  const { app, url } = await deployed(
    `const neighbour = new URL(req.url).searchParams.has("neighbour");
    if (neighbour) { await sleep(900); return Response.json(state); }
    req.signal.addEventListener("abort", () => { state.reason = req.signal.reason.name; });
    await new Promise(() => {});`,
    { timeoutMs: 1200 },
  );
  const late = failure(fetch(url));
  await new Promise((resolve) => setTimeout(resolve, 700));
  const neighbour = read(fetch(`${url}?neighbour`));
  assert.equal((await late).code, "FUNCTION_TIMEOUT");
  assert.deepEqual(await neighbour.then(({ status, text }) => [status, text]), [
    200,
    '{"reason":"TimeoutError"}',
  ]);
  assert.equal((await p.logs(app, "probe", { count: 2 })).length, 2);
});

Deno.test("a call that is stopped leaves the others of its isolate to finish", async () => {
  const { url } = await deployed(
    `const ms = Number(new URL(req.url).searchParams.get("ms"));
    if (ms === 0) await new Promise(() => {});
    await sleep(ms);
    return Response.json(process.pid);`,
    { timeoutMs: 1500 },
  );
  const pid = Number((await read(fetch(`${url}?ms=1`))).text);
  const late = failure(fetch(`${url}?ms=0`));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const others = Array.from({ length: 5 }, () => read(fetch(`${url}?ms=1000`)));
  assert.equal((await late).code, "FUNCTION_TIMEOUT");
  // What comes now goes elsewhere; the old process waits for those it has.
  assert.notEqual(Number((await read(fetch(`${url}?ms=1`))).text), pid);
  for (const { status, text } of await Promise.all(others)) {
    assert.deepEqual([status, Number(text)], [200, pid]);
  }
  await assertGone(pid);
});

Deno.test("calls that a stuck isolate never began run elsewhere, exactly once; those it had begun fail by name", async () => {
  const { app, url } = await deployed(
    `const id = new URL(req.url).searchParams.get("id");
    const service = (sql: string, values: any[] = []) => ctx.db.asService(async (db: any) => (await db.query(sql, values)).rows);
    if (id === "setup") { await service("create table calls (id text, pid int)"); return Response.json(process.pid); }
    if (id === "count") return Response.json(await service("select id, count(*) as n, min(pid) as pid from calls group by id order by id"));
    if (id === "loop") for (;;);
    if (id === "waiting") { await service("insert into calls values ($1, $2)", [id, process.pid]); await sleep(60_000); }
    await service("insert into calls values ($1, $2)", [id, process.pid]);
    return Response.json([id, await req.text()]);`,
    { timeoutMs: 1500 },
  );
  const pid = Number((await read(fetch(`${url}?id=setup`))).text);
  const waiting = failure(fetch(`${url}?id=waiting`));
  await new Promise((resolve) => setTimeout(resolve, 200));
  const loop = failure(fetch(`${url}?id=loop`));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const calls = ["a", "b", "c", "d", "e"].map((id) =>
    read(fetch(`${url}?id=${id}`, { method: "POST", body: `body of ${id}` })).then((
      { status, text },
    ) => [status, text])
  );
  // The time of the one that waits is over first; the one that loops has the rest of its own.
  const [innocent, culprit] = [await waiting, await loop];
  assert.deepEqual([innocent.status, innocent.code], [504, "FUNCTION_TIMEOUT"]);
  assert.deepEqual(innocent.details, { timeout_ms: 1500, held_by_another_call: true });
  assert.deepEqual([culprit.status, culprit.code], [504, "FUNCTION_TIMEOUT"]);
  assert.deepEqual(culprit.details, { timeout_ms: 1500 });
  assert.deepEqual(
    await Promise.all(calls),
    ["a", "b", "c", "d", "e"].map((id) => [200, JSON.stringify([id, `body of ${id}`])]),
  );
  const counted = JSON.parse((await read(fetch(`${url}?id=count`))).text);
  assert.deepEqual(
    counted.map(({ id, n }: { id: string; n: number }) => [id, n]),
    ["a", "b", "c", "d", "e", "waiting"].map((id) => [id, 1]),
  );
  for (const row of counted) {
    assert.equal(row.pid === pid, row.id === "waiting", "the stuck isolate began none of them");
  }
  const rows = await p.logs(app, "probe", { count: 9 });
  assert.equal(rows.length, 9, "one row for each call");
});

Deno.test("a call that waits for an isolate that never gets loaded is FUNCTION_TIMEOUT", async () => {
  const app = await p.createApp();
  const url = await p.deploy(
    app,
    "probe",
    `console.log("loading"); await new Promise(() => {}); export default () => new Response("x");`,
    { timeoutMs: 800 },
  );
  const failed = await failure(fetch(url));
  assert.deepEqual([failed.status, failed.code], [504, "FUNCTION_TIMEOUT"]);
  assert.deepEqual(messages(await rowOf(app, failed.id)), ["loading"]);
});

Deno.test("an answer that came in time is whole, whatever the isolate does after it", async () => {
  const { app, url } = await deployed(
    `ctx.waitUntil((async () => { await sleep(50); console.log("spins"); for (;;); })());
    return Response.json(process.pid);`,
    { timeoutMs: 1000 },
  );
  const { status, text } = await read(fetch(url));
  assert.equal(status, 200);
  // Others are not held up by it: they are given to another isolate.
  const next = await read(fetch(url));
  assert.equal(next.status, 200);
  assert.ok(text !== "" && next.text !== "");
  assert.equal((await p.json("DELETE", `/v1/${app}/functions/probe`)).status, 200);
});

Deno.test("a query that still runs when the call's time is over is cancelled in the database", async () => {
  const { url } = await deployed(
    `if (req.method === "POST") return Response.json((await ctx.db.query("select 1 as one")).rows);
    await ctx.db.asService((db: any) => db.query("select pg_sleep(30) /* cancelled with its call */"));
    return new Response("never");`,
    { timeoutMs: 3000 },
  );
  const running = async () =>
    await p
      .sql`select 1 from pg_stat_activity where state = 'active' and query like '%cancelled with its c_ll%'
      and pid <> pg_backend_pid()`;
  const late = failure(fetch(url));
  let seen = 0;
  const over = late.then(() => true);
  while (!await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 50, false))])) {
    seen = Math.max(seen, (await running()).length);
  }
  assert.equal((await late).code, "FUNCTION_TIMEOUT");
  assert.equal(seen, 1);
  const began = performance.now();
  while ((await running()).length > 0) {
    assert.ok(performance.now() - began < 3000, "the query still runs");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal((await read(fetch(url, { method: "POST" }))).text, '[{"one":1}]');
});

Deno.test("a stream that falls silent, or lasts for too long, is cut; its isolate goes on", async () => {
  await using small = await startTestPlatform({
    BUTTERBASE_STREAM_IDLE_SECONDS: "1",
    BUTTERBASE_STREAM_MAX_SECONDS: "3",
  });
  const { app, url } = await deployed(
    `if (req.method === "POST") return Response.json(process.pid);
    const silent = new URL(req.url).searchParams.has("silent");
    let n = 0;
    return new Response(new ReadableStream({
      async pull(controller) {
        if (silent && n === 3) await sleep(60_000);
        await sleep(100);
        controller.enqueue(new TextEncoder().encode(String(n++ % 10)));
      },
      cancel(reason) { console.log("cancelled", reason.name); },
    }));`,
    {},
    small,
  );
  const { text: pid } = await read(fetch(url, { method: "POST" }));
  for (const [query, least, most] of [["?silent", 3, 3], ["", 15, 40]] as const) {
    let received = "";
    await assert.rejects(async () => {
      const response = await fetch(`${url}${query}`);
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) received += text;
    });
    assert.ok(received.length >= least && received.length <= most, received);
    assert.equal((await read(fetch(url, { method: "POST" }))).text, pid);
  }
  const rows = (await small.logs(app, "probe", { count: 5 })).filter(({ method }) => method === "GET");
  for (const row of rows) {
    assert.deepEqual([row.statusCode, row.error], [200, "Stopped after its answer: deadline"]);
    assert.deepEqual(messages(row), ["cancelled TimeoutError"]);
  }
});

// Memory.

const hungry: [what: string, body: string][] = [
  [
    "the heap",
    "const keep: any[] = []; for (;;) keep.push(new Array(1000).fill(0).map(() => ({ n: Math.random() })));",
  ],
  [
    "the heap, a little at a time",
    "const keep: any[] = []; for (;;) { keep.push(new Array(100_000).fill(0).map(() => ({ n: 1 }))); await sleep(1); }",
  ],
  ["buffers", "const keep: any[] = []; for (;;) keep.push(new Uint8Array(1_000_000).fill(1));"],
  [
    "buffers, a little at a time",
    "const keep: any[] = []; for (;;) { keep.push(new Uint8Array(4_000_000).fill(1)); await sleep(1); }",
  ],
  [
    "one string",
    `let text = "x"; for (;;) { text += text + Math.random(); new TextEncoder().encode(text); }`,
  ],
  [
    "WebAssembly memory",
    `const memory = new WebAssembly.Memory({ initial: 1 }); for (let n = 0; n < 60_000; n += 16) { memory.grow(16); new Uint8Array(memory.buffer).fill(1, n * 65536); }`,
  ],
];
for (const [what, body] of hungry) {
  Deno.test(`passing the memory limit with ${what} is FUNCTION_MEMORY_LIMIT, and its process is gone`, async () => {
    const { app, url } = await deployed(
      `if (req.method === "POST") return Response.json(process.pid);
      console.log(String(process.pid));
      ${body}`,
      { memoryLimitMb: 64, timeoutMs: 20_000 },
    );
    const failed = await failure(fetch(url));
    assert.deepEqual([failed.status, failed.code], [503, "FUNCTION_MEMORY_LIMIT"]);
    assert.equal(failed.headers.get("retry-after"), "1");
    assert.equal(failed.details?.["memory_limit_mb"], 64);
    const row = await rowOf(app, failed.id);
    assert.equal(row.statusCode, 503);
    assert.match(row.error, /64 MiB/);
    const [pid] = messages(row);
    await assertGone(Number(pid));
    assert.notEqual((await read(fetch(url, { method: "POST" }))).text, pid);
  });
}

Deno.test("memory that is given back counts for nothing", async () => {
  const { url } = await deployed(
    `let sum = 0;
    for (let n = 0; n < 200; n++) { sum += new Uint8Array(4_000_000).fill(1)[n]!; await sleep(1); }
    return Response.json(sum);`,
    { memoryLimitMb: 512 },
  );
  assert.deepEqual(await read(fetch(url)).then(({ status, text }) => [status, text]), [200, "200"]);
});

// The end of the process.

const exits: [what: string, body: string][] = [
  ["Deno.exit()", "Deno.exit(3);"],
  ["process.exit()", "process.exit(0);"],
  ["process.abort()", "process.abort();"],
  ["Deno.exit() behind a catch", "try { Deno.exit(1); } catch { await sleep(5000); }"],
  ["Deno.exit() in a timer", "setTimeout(() => Deno.exit(1), 20); await sleep(5000);"],
];
for (const [what, body] of exits) {
  Deno.test(`${what} is FUNCTION_EXITED for the call that does it, and for no other`, async () => {
    const { app, url } = await deployed(
      `if (req.method === "POST") { await sleep(600); return Response.json(process.pid); }
      console.log("before");
      ${body}
      return new Response("still here");`,
    );
    const pid = Number((await read(fetch(url, { method: "POST" }))).text);
    const neighbour = read(fetch(url, { method: "POST" }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const failed = await failure(fetch(url));
    assert.deepEqual([failed.status, failed.code], [502, "FUNCTION_EXITED"]);
    const row = await rowOf(app, failed.id);
    assert.equal(row.statusCode, 502);
    assert.equal(messages(row)[0], "before");
    assert.deepEqual(await neighbour.then(({ status, text }) => [status, Number(text)]), [200, pid]);
    await assertGone(pid);
  });
}

Deno.test("a process can be ended, but nothing else of the machine is in reach", async () => {
  const { url } = await deployed(`
    const attempts = {
      kill: () => process.kill(1), selfKill: () => process.kill(process.pid, "SIGKILL"), close: () => (globalThis as any).close(),
      worker: () => new (globalThis as any).Worker("data:,"), command: () => new (Deno as any).Command("true"),
    };
    return Response.json(Object.entries(attempts).map(([name, attempt]) => { try { attempt(); return name + " worked"; } catch { return name; } }));`);
  assert.deepEqual(JSON.parse((await read(fetch(url))).text), [
    "kill",
    "selfKill",
    "close",
    "worker",
    "command",
  ]);
});

// Loading.

const boots: [what: string, code: string, error: RegExp][] = [
  [
    "throws",
    `const x: any = undefined;\nx.y.z;\nexport default () => new Response("x");`,
    /Cannot read prop/,
  ],
  ["throws a string", `throw "no reason";\nexport default () => new Response("x");`, /no reason/],
  [
    "rejects",
    `await Promise.reject(new Error("no config"));\nexport default () => new Response("x");`,
    /no config/,
  ],
  ["exports no function", `export default 42; export const handler = "text";`, /no handler|must be|handler/],
];
for (const [what, code, error] of boots) {
  Deno.test(`a module that ${what} while it loads is FUNCTION_BOOT_FAILED, with a log row for each call`, async () => {
    const app = await p.createApp();
    const answer = await p.json("POST", `/v1/${app}/functions`, {
      body: { name: "probe", code, trigger: { type: "http", config: { auth: "none" } } },
    });
    // What can be seen without running it is refused at deploy.
    if (answer.status === 400) return assert.equal(answer.body.error.code, "VALIDATION_INVALID_SCHEMA");
    const url = `${p.origin}/v1/${app}/fn/probe`;
    const calls = await Promise.all([1, 2, 3].map(() => failure(fetch(url))));
    for (const failed of calls) {
      assert.deepEqual([failed.status, failed.code], [500, "FUNCTION_BOOT_FAILED"]);
      assert.doesNotMatch(failed.message, error);
      const row = await rowOf(app, failed.id);
      assert.equal(row.statusCode, 500);
      assert.match(row.error, error);
    }
    const [row] = await p.logs(app, "probe");
    if (what === "throws") assert.match(row.stack, /probe\.ts:2:\d+/);
    await p.deploy(app, "probe", `export default () => new Response("mended")`);
    assert.equal((await read(fetch(url))).text, "mended");
  });
}

Deno.test("a module that ends its process while it loads is FUNCTION_EXITED", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "probe", `Deno.exit(1); export default () => new Response("x");`);
  const failed = await failure(fetch(url));
  assert.deepEqual([failed.status, failed.code], [502, "FUNCTION_EXITED"]);
  assert.equal((await rowOf(app, failed.id)).statusCode, 502);
});

Deno.test("buffers that are garbage at once do not count, however many there were", async () => {
  const { app, url } = await deployed(
    `for (let n = 0; n < 1500; n++) new Uint8Array(1e6).fill(1);
    return Response.json("done");`,
  );
  assert.deepEqual(await read(fetch(url)).then(({ status, text }) => [status, text]), [200, '"done"']);
  const [row] = await p.logs(app, "probe");
  assert.ok(row.memoryUsed < 128, `${row.memoryUsed} MiB`);
});

// Too many.

Deno.test("calls beyond the queue are FUNCTION_OVERLOADED with Retry-After, the others are served", async () => {
  await using small = await startTestPlatform({
    BUTTERBASE_HOST_CONCURRENCY: "2",
    BUTTERBASE_MAX_HOSTS_PER_VERSION: "1",
    BUTTERBASE_QUEUE_LENGTH: "2",
  });
  const { app, url } = await deployed(`await sleep(400); return Response.json("served");`, {}, small);
  assert.equal((await read(fetch(url))).text, '"served"');
  const answers = await Promise.all(Array.from({ length: 12 }, () => fetch(url)));
  const refused = answers.filter(({ status }) => status !== 200);
  for (const response of answers.filter(({ status }) => status === 200)) {
    assert.equal(await response.text(), '"served"');
  }
  assert.equal(refused.length, 8, "two run, two wait");
  for (const response of refused) {
    const { status, code, headers, details } = await failure(response);
    assert.deepEqual([status, code, headers.get("retry-after")], [503, "FUNCTION_OVERLOADED", "1"]);
    assert.deepEqual(details, { waiting: 2, limit: 2 });
  }
  assert.equal((await read(fetch(url))).text, '"served"');
  const rows = await small.logs(app, "probe", { count: 14 });
  assert.equal(rows.filter(({ statusCode }) => statusCode === 503).length, 8);
});

Deno.test("a call that waits for longer than its time is FUNCTION_OVERLOADED, and never runs", async () => {
  await using small = await startTestPlatform({
    BUTTERBASE_HOST_CONCURRENCY: "1",
    BUTTERBASE_MAX_HOSTS_PER_VERSION: "1",
    BUTTERBASE_QUEUE_LENGTH: "10",
  });
  const { url } = await deployed(
    `state.calls = (state.calls ?? 0) + 1;
    if (req.method === "GET") await sleep(1400);
    return Response.json(state.calls);`,
    { timeoutMs: 2000 },
    small,
  );
  const answers = await Promise.all([1, 2, 3].map(() => fetch(url)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 503]);
  for (const response of answers) {
    if (response.status === 200) await response.body?.cancel();
    else assert.equal((await failure(response)).code, "FUNCTION_OVERLOADED");
  }
  assert.equal((await read(fetch(url, { method: "POST" }))).text, "3");
});

Deno.test("a node that is full says FUNCTION_OVERLOADED, and gives the place of an idle isolate away", async () => {
  await using small = await startTestPlatform({ BUTTERBASE_MAX_HOSTS: "1", BUTTERBASE_WARM_HOSTS: "0" });
  const { app, url } = await deployed(`await sleep(1500); return Response.json("first");`, {}, small);
  const other = await add(app, "other", `return Response.json("other");`, {}, small);
  const running = read(fetch(url));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { status, code, headers } = await failure(fetch(other));
  assert.deepEqual([status, code, headers.get("retry-after")], [503, "FUNCTION_OVERLOADED", "1"]);
  assert.equal((await running).text, '"first"');
  assert.equal((await read(fetch(other))).text, '"other"');
  assert.equal(small.platform.isolates.stats().hosts, 1);
});

// Who is there at all.

Deno.test("another method than the trigger's is METHOD_NOT_ALLOWED with Allow", async () => {
  const app = await p.createApp();
  const methods: [method: unknown, allow: string, good: string[], bad: string[]][] = [
    ["POST", "POST", ["POST"], ["GET", "PUT", "OPTIONS", "TRACE", "PROPFIND"]],
    [["GET", "delete"], "GET, DELETE, HEAD", ["GET", "DELETE"], ["POST", "PATCH"]],
  ];
  for (const [method, allow, good, bad] of methods) {
    const trigger = { type: "http", config: { auth: "none", method } };
    const path = new URL(await add(app, "probe", `return new Response("ran");`, { trigger })).pathname;
    for (const word of good) assert.equal((await rawRequest(p.origin, `${word} ${path}`)).status, 200);
    for (const word of bad) {
      const { status, headers, text } = await rawRequest(p.origin, `${word} ${path}`);
      const failed = await failure(new Response(text, { status, headers }));
      assert.deepEqual([failed.status, failed.code], [405, "METHOD_NOT_ALLOWED"]);
      assert.equal(failed.headers.get("allow"), allow);
    }
  }
  const head = await fetch(`${p.origin}/v1/${app}/fn/probe`, { method: "HEAD" });
  assert.equal(head.status, 200);
});

Deno.test("another path than the trigger's is RESOURCE_NOT_FOUND", async () => {
  const app = await p.createApp();
  const at = async (path: string) => {
    const trigger = { type: "http", config: { auth: "none", path } };
    return new URL(await add(app, "probe", `return new Response(new URL(req.url).pathname);`, { trigger }))
      .pathname;
  };
  const path = await at("/items/:id");
  assert.equal((await rawRequest(p.origin, `GET ${path}/items/7?x=1`)).text, `${path}/items/7`);
  for (const wrong of ["", "/", "/items", "/items/", "/items/7/more", "/ITEMS/7", "/items%2F7"]) {
    const { status, headers, text } = await rawRequest(p.origin, `GET ${path}${wrong}`);
    const failed = await failure(new Response(text, { status, headers }));
    assert.deepEqual([failed.status, failed.code], [404, "RESOURCE_NOT_FOUND"], wrong);
  }
  await at("/files/*");
  assert.equal((await rawRequest(p.origin, `GET ${path}/files/a/b`)).status, 200);
  assert.equal((await rawRequest(p.origin, `GET ${path}/items/7`)).status, 404);
});

Deno.test("a function without an enabled http trigger has no URL", async () => {
  const app = await p.createApp();
  const triggers: object[][] = [
    [{ type: "cron", config: { schedule: "0 0 1 1 *" } }],
    [{ type: "http", config: { auth: "none" }, enabled: false }],
    [{ type: "webhook", config: {} }, { type: "http", config: { auth: "none" }, enabled: false }],
  ];
  for (const given of triggers) {
    const answer = await p.json("POST", `/v1/${app}/functions`, {
      body: { name: "quiet", code: "export default () => new Response('ran')", triggers: given },
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    for (const key of [null, ownerKey]) {
      const failed = await failure(p.request("GET", `/v1/${app}/fn/quiet`, { key }));
      assert.deepEqual([failed.status, failed.code], [404, "RESOURCE_NOT_FOUND"]);
    }
    const tested = await p.request("POST", `/v1/${app}/functions/quiet/invoke`, { body: {} });
    assert.equal(await tested.text(), "ran");
  }
});

Deno.test("a deleted function is gone at once, and back at once when it is deployed again", async () => {
  const { app, url } = await deployed(`return Response.json(process.pid);`);
  const pid = Number((await read(fetch(url))).text);
  await p.json("DELETE", `/v1/${app}/functions/probe`);
  assert.equal((await failure(fetch(url))).code, "RESOURCE_NOT_FOUND");
  await assertGone(pid);
  await add(app, "probe", `return Response.json("back");`);
  assert.equal((await read(fetch(url))).text, '"back"');
});

Deno.test("a new version serves from the next call on, and what the old one runs is finished", async () => {
  const { app, url } = await deployed(`await sleep(800); return Response.json("old");`);
  const old = read(fetch(url));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await add(app, "probe", `return Response.json("new");`);
  assert.equal((await read(fetch(url))).text, '"new"');
  assert.deepEqual(await old.then(({ status, text }) => [status, text]), [200, '"old"']);
});

Deno.test("a paused app answers APP_PAUSED and starts no isolate; its developer may test it", async () => {
  const { app, url } = await deployed(`return Response.json("ran");`);
  const pause = (paused: boolean, reason?: string) =>
    p.json("PATCH", `/v1/${app}/config/pause`, { body: { paused, reason } });
  await pause(true, "looking into it");
  const before = p.platform.isolates.stats();
  for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) {
    const failed = await failure(p.request(method, url));
    assert.deepEqual([failed.status, failed.code], [503, "APP_PAUSED"]);
    assert.equal(failed.headers.get("retry-after"), "60");
    assert.deepEqual(failed.details, { paused_reason: "looking into it" });
  }
  const after = p.platform.isolates.stats();
  assert.deepEqual([after.coldStarts, after.versions], [before.coldStarts, before.versions]);
  assert.deepEqual((await p.json("GET", `/v1/${app}/functions/probe/logs`)).body.logs, []);

  const tested = await p.request("POST", `/v1/${app}/functions/probe/invoke`, { body: {} });
  assert.deepEqual([tested.status, await tested.text()], [200, '"ran"']);
  const [row] = await p.logs(app, "probe");
  assert.deepEqual([row.whilePaused, row.triggerType], [true, "test"]);

  await pause(false);
  assert.equal((await read(fetch(url))).text, '"ran"');
  await pause(true);
  assert.deepEqual((await failure(fetch(url))).details, { paused_reason: null });
});

Deno.test("an app that does not exist is RESOURCE_NOT_FOUND, with any credential or none", async () => {
  for (
    const id of [
      "app_000000000000",
      "app_short",
      "nonsense",
      "%00",
      "..%2F..",
      "a".repeat(5000),
      "app_0000000000%30",
    ]
  ) {
    for (const headers of [[], [`authorization: Bearer ${ownerKey}`], ["authorization: Bearer nonsense"]]) {
      const { status, headers: got, text } = await rawRequest(p.origin, `GET /v1/${id}/fn/probe`, headers);
      const failed = await failure(new Response(text, { status, headers: got }));
      assert.deepEqual([failed.status, failed.code], [404, "RESOURCE_NOT_FOUND"], id);
    }
  }
});

Deno.test("a name is decoded once and never split: odd ones are RESOURCE_NOT_FOUND, and never a 500", async () => {
  const { app, path } = await deployed(`return Response.json("ran");`);
  const names = [
    "other",
    "",
    "probe%2F",
    "%2Fprobe",
    "probe%2Fother",
    "probe%252F",
    "%2570robe",
    "..",
    ".",
    "..%2Fprobe",
    "%2e%2e%2fprobe",
    "../fn/probe%00",
    "probe%00",
    "%00",
    "probe%0a",
    "probe%20",
    "probe%FF",
    "probe%",
    "probe%zz",
    "%E0%A4%A",
    "prob\u00e9",
    "probe;x=1",
    "probe\\",
    "PROBE",
    "__proto__",
    "constructor",
    "a".repeat(10_000),
    "%61".repeat(10_000),
    "'; drop table functions; --".replaceAll(" ", "%20"),
  ];
  for (const name of names) {
    const { status, headers, text } = await rawRequest(p.origin, `GET /v1/${app}/fn/${name}`);
    const failed = await failure(new Response(text, { status, headers }));
    assert.deepEqual([failed.status, failed.code], [404, "RESOURCE_NOT_FOUND"], name.slice(0, 50));
    assert.ok(failed.message.length < 400, "the message does not echo what is long");
  }
  for (
    const good of [
      "",
      "/",
      "//",
      "/../x",
      "%70robe".slice(7),
      "?a=%00",
      "/%00",
      "/a%2F..%2Fb",
      `/${"a/".repeat(2000)}`,
    ]
  ) {
    assert.equal((await rawRequest(p.origin, `GET ${path}${good}`)).status, 200, good.slice(0, 50));
  }
  assert.equal((await rawRequest(p.origin, `GET /v1/${app}/fn/%70robe`)).status, 200);
  for (
    const odd of [
      "/v1",
      "/v1/",
      `/v1/${app}`,
      `/v1/${app}/fn`,
      `/v1/${app}/FN/probe`,
      `//v1/${app}/fn/probe`,
      "/v1//fn/probe",
    ]
  ) {
    const { status, headers, text } = await rawRequest(p.origin, `GET ${odd}`);
    assert.equal((await failure(new Response(text, { status, headers }))).status, 404, odd);
  }
});
