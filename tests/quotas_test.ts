// What functions may hold or send: at each limit one typed error, below it nothing is refused, and nothing that was given
// back goes on counting.

import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

/** Where the functions of these tests may connect to. */
const hostname = "127.0.0.2";

const settings = {
  BUTTERBASE_MAX_SOCKETS: 4,
  BUTTERBASE_MAX_FETCHES: 4,
  BUTTERBASE_MAX_TIMERS: 50,
  BUTTERBASE_MAX_WAIT_UNTIL: 3,
  BUTTERBASE_MAX_CTX_CALLS: 6,
  BUTTERBASE_MAX_TRANSACTIONS: 2,
  BUTTERBASE_MAX_RESPONSE_BYTES: 100_000,
  BUTTERBASE_MAX_LOG_LINES: 5,
  BUTTERBASE_MAX_LOG_BYTES: 4096,
};

let p: TestPlatform;
let http: Deno.HttpServer<Deno.NetAddr>;
let tcp: Deno.Listener;
const held: Deno.Conn[] = [];
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
    BUTTERBASE_EGRESS_ALLOW: hostname,
  });
  http = Deno.serve({ hostname, port: 0, onListen() {} }, answer);
  tcp = Deno.listen({ hostname, port: 0 });
  void hold();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
  tcp.close();
  for (const connection of held.splice(0)) connection.close();
  await http.shutdown();
});

/** An echo for WebSockets, events, an answer that comes late, one that is large, and a short one. */
function answer(request: Request): Response | Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.headers.has("upgrade")) return Deno.upgradeWebSocket(request).response;
  if (pathname === "/events") {
    const stream = new ReadableStream({ pull: () => new Promise(() => {}) });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }
  if (pathname === "/late") {
    return new Promise((resolve) => setTimeout(() => resolve(new Response("late")), 300));
  }
  return new Response(pathname === "/large" ? new Uint8Array(3_000_000) : "short");
}

async function hold(): Promise<void> {
  for await (const connection of tcp) held.push(connection);
}

const head =
  `import net from "node:net"; import tls from "node:tls"; import http from "node:http"; import process from "node:process";
import timers from "node:timers"; import { setTimeout as delay } from "node:timers/promises";
const kept: any[] = [];
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** What an error shows of itself. */
const shown = (e: any) => e === undefined ? null : ({ name: e.name, code: e.code, limit: e.limit, used: e.used, setting: e.setting, message: e.message });
/** Uses something until that is refused: how often it worked, and the refusal. */
async function until(most: number, use: () => unknown) {
  for (let n = 0; n < most; n++) try { await use(); } catch (e) { return { worked: n, error: shown(e) }; }
  return { worked: most, error: null };
}
const opened = (socket: any) => new Promise((resolve, reject) => {
  socket.on("error", reject);
  socket.on("connect", () => resolve(socket));
});
const closed = (socket: any) => new Promise((resolve) => { socket.on("close", resolve); socket.destroy(); });
const event = (target: any, name: string) => new Promise((resolve, reject) => {
  target.addEventListener(name, resolve);
  target.addEventListener("error", (e: any) => reject(e.error ?? new Error(e.message ?? "error")));
});
`;

// deno-lint-ignore no-explicit-any -- what a function answers is what a test looks at.
async function run(body: string): Promise<{ app: string; url: string; answer: any; status: number }> {
  const app = await p.createApp();
  const code = `${head}export default async function handler(req: Request, ctx: any): Promise<any> {
    const { hostname, port } = ${JSON.stringify({ hostname, port: (tcp.addr as Deno.NetAddr).port })};
    const site = "http://${hostname}:${http.addr.port}";
    ${body}\n}`;
  const url = await p.deploy(app, "probe", code);
  const response = await fetch(url);
  const text = await response.text();
  if (response.status === 500) {
    const [row] = await p.logs(app, "probe");
    throw new Error(`the probe failed: ${row.error} ${row.stack}`);
  }
  return { app, url, answer: JSON.parse(text), status: response.status };
}

interface Shown {
  name: string;
  code: string;
  limit: number;
  used: number;
  setting: string;
  message: string;
}

function assertQuota(error: Shown | null, setting: keyof typeof settings): void {
  assert.ok(error !== null, `${setting} refused nothing`);
  const { name, code, limit, message } = error;
  assert.deepEqual([name, code, limit, error.setting], [
    "QuotaExceededError",
    "QUOTA_LIMIT_EXCEEDED",
    settings[setting],
    setting,
  ], JSON.stringify(error));
  assert.ok(error.used >= limit, JSON.stringify(error));
  for (const part of [String(limit), String(error.used), setting]) assert.ok(message.includes(part), message);
}

/** Each is opened until that is refused, and opened and closed ten times as often as the limit. */
const sockets: Record<string, { open: string; close: string }> = {
  "Deno.connect": { open: "Deno.connect({ hostname, port })", close: "it.close()" },
  "Deno.connectTls": { open: "Deno.connectTls({ hostname, port })", close: "it.close()" },
  "node:net": { open: "opened(net.connect(port, hostname))", close: "await closed(it)" },
  "node:tls": { open: "opened(tls.connect(port, hostname))", close: "await closed(it)" },
  "node:http": {
    open: "new Promise((y, n) => http.get(site + '/large', { agent: false }, y).on('error', n))",
    close: "await new Promise((y) => { it.on('close', y); it.destroy(); })",
  },
  "WebSocket": {
    open: "(async (s: any) => (await event(s, 'open'), s))(new WebSocket(site.replace('http', 'ws')))",
    close: "(it.close(), await event(it, 'close'))",
  },
};

for (const [what, { open, close }] of Object.entries(sockets)) {
  Deno.test(`open sockets are limited by ${what}, and closed ones are forgotten`, async () => {
    const { answer } = await run(`
      const sequential = await until(40, async () => { const it: any = await ${open}; ${close}; });
      await sleep(50);
      const together = await until(10, async () => { kept.push(await ${open}); });
      for (const it of kept.splice(0)) { ${close}; }
      await sleep(50);
      const after = await until(1, async () => { const it: any = await ${open}; ${close}; });
      return Response.json({ sequential, together, after });`);
    assert.deepEqual(answer.sequential, { worked: 40, error: null });
    assert.equal(answer.together.worked, settings.BUTTERBASE_MAX_SOCKETS);
    assertQuota(answer.together.error, "BUTTERBASE_MAX_SOCKETS");
    assert.deepEqual(answer.after, { worked: 1, error: null });
  });
}

const fetches: Record<string, string> = {
  "that wait for their answer": "void fetch(site + '/late').then((r) => r.text(), () => {});",
  "whose body is not read": "kept.push(await fetch(site + '/large'));",
};

for (const [what, start] of Object.entries(fetches)) {
  Deno.test(`fetches ${what} are limited, and those that are over are forgotten`, async () => {
    const { answer } = await run(`
      const read = await until(40, async () => { await (await fetch(site)).text(); });
      const cancelled = await until(40, async () => { await (await fetch(site + "/large")).body!.cancel(); });
      const dropped = await until(40, async () => { await fetch(site + "/large"); });
      await sleep(1100);
      const failed = await until(40, async () => { await fetch("http://" + hostname + ":1").catch((e) => { if (e.code) throw e; }); });
      const together: any[] = [];
      await Promise.all(Array.from({ length: 10 }, async () => { try { ${start} await fetch(site + "/late").then((r) => r.text()); } catch (e) { together.push(shown(e)); } }));
      for (const response of kept.splice(0)) await response.body.cancel();
      await sleep(400);
      return Response.json({ read, cancelled, dropped, failed, together, after: await (await fetch(site)).text() });`);
    for (const way of ["read", "cancelled", "failed"]) {
      assert.deepEqual(answer[way], { worked: 40, error: null }, way);
    }
    assert.ok(answer.together.length > 0, "ten at once were let through");
    for (const error of answer.together) assertQuota(error, "BUTTERBASE_MAX_FETCHES");
    assert.equal(answer.after, "short");
  });
}

Deno.test("answers that were dropped unread are collected before a fetch is refused", async () => {
  const { answer } = await run(`
    const dropped = await until(4, async () => { await fetch(site + "/large"); });
    await sleep(20);
    return Response.json({ dropped, after: await until(3, async () => { await fetch(site + "/large"); }) });`);
  assert.deepEqual(answer, {
    dropped: { worked: 4, error: null },
    after: { worked: 3, error: null },
  });
});

Deno.test("event sources count as fetches", async () => {
  const { answer } = await run(`
    const found = await until(10, async () => { const it = new EventSource(site + "/events"); kept.push(it); await event(it, "open"); });
    for (const it of kept.splice(0)) it.close();
    await sleep(50);
    const after = await until(1, async () => { const it = new EventSource(site + "/events"); await event(it, "open"); it.close(); });
    return Response.json({ ...found, after });`);
  assert.equal(answer.worked, settings.BUTTERBASE_MAX_FETCHES);
  assertQuota(answer.error, "BUTTERBASE_MAX_FETCHES");
  assert.deepEqual(answer.after, { worked: 1, error: null });
});

const timers: Record<string, { set: string; clear: string }> = {
  "setTimeout": { set: "setTimeout(() => {}, 1e6)", clear: "clearTimeout(it)" },
  "setInterval": { set: "setInterval(() => {}, 1e6)", clear: "clearInterval(it)" },
  "timers that keep nothing awake": { set: "setTimeout(() => {}, 1e6).unref()", clear: "it.close()" },
  "node:timers": { set: "timers.setTimeout(() => {}, 1e6)", clear: "timers.clearTimeout(it)" },
  "node:timers/promises": {
    set: "(delay(1e6, 0, { signal: (kept[0] ??= new AbortController()).signal }).catch(() => {}), 0)",
    clear: "(kept.splice(0).forEach((c) => c.abort()))",
  },
};

for (const [what, { set, clear }] of Object.entries(timers)) {
  Deno.test(`live timers are limited by ${what}, and those that fired or were cleared are forgotten`, async () => {
    const { answer } = await run(`
      const cleared = await until(500, () => { const it: any = ${set}; ${clear}; });
      const fired = await until(50, () => sleep(0));
      const all: any[] = [];
      const together = await until(100, () => { all.push(${set}); });
      for (const it of all) ${clear};
      return Response.json({ cleared, fired, together, after: await until(40, () => sleep(0)) });`);
    assert.deepEqual(answer.cleared, { worked: 500, error: null });
    assert.deepEqual(answer.fired, { worked: 50, error: null });
    assert.ok(answer.together.worked <= 50 && answer.together.worked > 45, String(answer.together.worked));
    assertQuota(answer.together.error, "BUTTERBASE_MAX_TIMERS");
    assert.deepEqual(answer.after, { worked: 40, error: null });
  });
}

Deno.test("timers of AbortSignal.timeout count until they fire; a timer that is set again counts once", async () => {
  const { answer } = await run(`
    const timer: any = setTimeout(() => {}, 0);
    const again = await until(500, () => timer.refresh());
    const fired = await until(200, async () => { await sleep(0); timer.refresh(); });
    const signals = await until(100, () => { kept.push(AbortSignal.timeout(100)); });
    await new Promise((resolve) => kept.at(-1).addEventListener("abort", resolve));
    return Response.json({ again, fired, signals, after: await until(20, () => sleep(0)) });`);
  assert.deepEqual([answer.again.error, answer.fired.error, answer.after.error], [null, null, null]);
  assert.ok(answer.signals.worked > 45 && answer.signals.worked <= 50, String(answer.signals.worked));
  assertQuota(answer.signals.error, "BUTTERBASE_MAX_TIMERS");
});

for (const flood of ["setImmediate(spin)", "queueMicrotask(spin)", "process.nextTick(spin)"]) {
  Deno.test(`a flood of ${flood} ends with the call's time`, async () => {
    const app = await p.createApp();
    const code =
      `${head}export default () => { const spin = () => { ${flood}; ${flood}; }; spin(); return new Promise(() => {}); }`;
    const url = await p.deploy(app, "flood", code, { timeoutMs: 300, memoryLimitMb: 256 });
    const { error } = await (await fetch(url)).json();
    assert.match(error.code, /^FUNCTION_(TIMEOUT|MEMORY_LIMIT)$/);
  });
}

Deno.test("promises of waitUntil that are pending are limited; those that are settled are forgotten", async () => {
  const { answer } = await run(`
    const settled = await until(30, async () => { ctx.waitUntil(sleep(0)); await sleep(2); });
    return Response.json({ settled, together: await until(10, () => ctx.waitUntil(sleep(100))) });`);
  assert.deepEqual(answer.settled, { worked: 30, error: null });
  assert.equal(answer.together.worked, settings.BUTTERBASE_MAX_WAIT_UNTIL);
  assertQuota(answer.together.error, "BUTTERBASE_MAX_WAIT_UNTIL");
});

Deno.test("calls of ctx under way and open transactions are limited by the server, by the same error", async () => {
  const { answer } = await run(`
    const select = () => ctx.db.asService((db: any) => db.query("select 1"));
    const sequential = await until(60, select);
    const calls: any[] = [];
    await Promise.all(Array.from({ length: 20 }, () => ctx.db.query("select pg_sleep(0.1)").catch((e: any) => calls.push(shown(e)))));
    const transactions: any[] = [];
    await Promise.all(Array.from({ length: 4 }, () => ctx.db.asService(() => sleep(100)).catch((e: any) => transactions.push(shown(e)))));
    return Response.json({ sequential, calls, transactions, after: await until(1, select) });`);
  assert.deepEqual([answer.sequential.error, answer.after.error], [null, null]);
  assert.equal(answer.calls.length, 20 - settings.BUTTERBASE_MAX_CTX_CALLS);
  for (const error of answer.calls) assertQuota(error, "BUTTERBASE_MAX_CTX_CALLS");
  assert.equal(answer.transactions.length, 4 - settings.BUTTERBASE_MAX_TRANSACTIONS);
  for (const error of answer.transactions) assertQuota(error, "BUTTERBASE_MAX_TRANSACTIONS");
});

Deno.test("an answer that is too long is FUNCTION_BAD_RESPONSE when it is whole, and breaks off when it flows", async () => {
  const app = await p.createApp();
  const url = await p.deploy(
    app,
    "long",
    `export default (req) => {
      const length = Number(new URL(req.url).searchParams.get("length"));
      if (req.method === "GET") return new Response(new Uint8Array(length));
      let sent = 0;
      return new Response(new ReadableStream({ pull(c) {
        if (sent >= length) return c.close();
        c.enqueue(new Uint8Array(10_000)); sent += 10_000;
      } }));
    }`,
  );
  const limit = settings.BUTTERBASE_MAX_RESPONSE_BYTES;
  for (const method of ["GET", "POST"]) {
    const whole = await fetch(`${url}?length=${limit}`, { method });
    assert.equal((await whole.bytes()).length, limit);
  }
  const refused = await fetch(`${url}?length=${limit + 1}`);
  assert.deepEqual([refused.status, (await refused.json()).error.code], [500, "FUNCTION_BAD_RESPONSE"]);
  const flowing = await fetch(`${url}?length=${limit * 3}`, { method: "POST" });
  assert.equal(flowing.status, 200);
  await assert.rejects(flowing.bytes());
  const rows = await p.logs(app, "long", { count: 4 });
  const errors = rows.map(({ error }) => error).filter((error) => error !== null);
  assert.equal(errors.length, 2);
  for (const error of errors) {
    assert.match(
      error,
      new RegExp(`${limit} bytes of response.* has 1\\d{5}: BUTTERBASE_MAX_RESPONSE_BYTES`),
    );
  }
});

const floods: Record<string, { print: string; kept: number; setting: string }> = {
  lines: { print: `console.log("short")`, kept: 5, setting: "BUTTERBASE_MAX_LOG_LINES" },
  bytes: { print: `console.log("é".repeat(900))`, kept: 2, setting: "BUTTERBASE_MAX_LOG_BYTES" },
  "unhandled rejections": {
    print: `Promise.reject(new Error("x"))`,
    kept: 5,
    setting: "BUTTERBASE_MAX_LOG_LINES",
  },
};

for (const [what, { print, kept, setting }] of Object.entries(floods)) {
  Deno.test(`a flood of ${what} is cut, and the last line says how many are missing and why`, async () => {
    const { app } = await run(
      `for (let n = 0; n < 200; n++) ${print}; await sleep(5); return Response.json(1);`,
    );
    const [row] = await p.logs(app, "probe");
    const lines: string[] = row.consoleLogs.map(({ message }: { message: string }) => message);
    assert.equal(lines.length, kept + 1);
    assert.match(String(lines.at(-1)), new RegExp(`^… ${200 - kept} more lines were not kept.*${setting}`));
  });
}

Deno.test("a call that is stopped while it floods its log says that lines are missing", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "flood", `export default () => { for (;;) console.log("again"); }`, {
    timeoutMs: 300,
  });
  assert.equal((await fetch(url)).status, 504);
  const [row] = await p.logs(app, "flood");
  assert.equal(row.consoleLogs.length, 6);
  assert.match(row.consoleLogs[5].message, /not kept.*5 console lines.*BUTTERBASE_MAX_LOG_LINES/);
});

Deno.test("threads and processes are refused by the same error, with a limit of none", async () => {
  const { answer } = await run(`
    // The check at deploy refuses it in the open.
    const threads = await new Function("return import('node:worker_threads')")();
    const tries = {
      Worker: () => new Worker("data:text/javascript,1", { type: "module" }),
      worker_threads: () => new threads.Worker("1", { eval: true }),
      Command: () => new (Deno as any).Command("id"),
    };
    const found: any = {};
    for (const [name, use] of Object.entries(tries)) found[name] = await until(1, use);
    return Response.json(found);`);
  for (const [name, { worked, error }] of Object.entries<{ worked: number; error: Shown }>(answer)) {
    assert.equal(worked, 0, name);
    assert.deepEqual([error.name, error.code, error.limit, error.setting], [
      "QuotaExceededError",
      "QUOTA_LIMIT_EXCEEDED",
      0,
      null,
    ]);
  }
});
