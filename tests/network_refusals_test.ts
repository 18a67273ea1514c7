// What a function is told, and what its owner reads in its log, when the network rules refuse a connection; and that user
// code gets at nothing behind the functions that tell.

import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let visits = 0;
let bait: Deno.HttpServer<Deno.NetAddr>;
let redirect: Deno.HttpServer<Deno.NetAddr>;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: "127.0.0.2" });
  const quiet = { port: 0, onListen() {} };
  bait = Deno.serve({ ...quiet, hostname: "127.0.0.1" }, () => {
    visits++;
    return new Response("secret");
  });
  const location = `http://127.0.0.1:${bait.addr.port}/`;
  redirect = Deno.serve(
    { ...quiet, hostname: "127.0.0.2" },
    () => new Response(null, { status: 302, headers: { location } }),
  );
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
  await bait.shutdown();
  await redirect.shutdown();
  assert.equal(visits, 0, "a connection that should be refused was made");
});

const head =
  `import net from "node:net"; import tls from "node:tls"; import http from "node:http"; import dgram from "node:dgram";
const failing = (emitter: any) => new Promise((resolve, reject) => { emitter.on("error", reject); emitter.on("connect", resolve); emitter.on("listening", resolve); });
`;

// deno-lint-ignore no-explicit-any -- what a function answers is what a test looks at.
async function run(body: string): Promise<{ answer: any; row: any }> {
  const app = await p.createApp();
  const code = `${head}export default async function handler(): Promise<any> {
    const port = ${bait.addr.port}, redirectPort = ${redirect.addr.port};
    ${body}\n}`;
  const url = await p.deploy(app, "probe", code);
  const response = await fetch(url);
  const text = await response.text();
  const [row] = await p.logs(app, "probe");
  assert.equal(response.status, 200, `${text} ${row.error} ${row.stack}`);
  return { answer: JSON.parse(text), row };
}

/** Each throws, or fails by an event. `silent`: its events tell nothing of why, and only the log does. */
const ways: Record<string, { use: string; host?: string; silent?: boolean }> = {
  "fetch": { use: "fetch(`http://127.0.0.1:${port}/`)" },
  "fetch by name": { use: "fetch(`http://localhost:${port}/`)", host: "localhost" },
  "fetch of an address in other words": { use: "fetch(`http://2130706433:${port}/`)" },
  "a redirect": { use: "fetch(`http://127.0.0.2:${redirectPort}/`)" },
  "Deno.connect": { use: "Deno.connect({ hostname: '127.0.0.1', port })" },
  "Deno.connectTls": { use: "Deno.connectTls({ hostname: '127.0.0.1', port })" },
  "node:net": { use: "failing(net.connect(port, '127.0.0.1'))" },
  "node:tls": { use: "failing(tls.connect(port, '127.0.0.1'))" },
  "node:http": { use: "failing(http.get({ port, host: '127.0.0.1' }))" },
  "WebSocket": { use: "new WebSocket(`ws://127.0.0.1:${port}`)" },
};

for (const [what, { use, host = "127.0.0.1" }] of Object.entries(ways)) {
  Deno.test(`a refusal of ${what} names the host, where it was asked for, and who can allow it`, async () => {
    const { answer, row } = await run(`
      const seen: any[] = [];
      for (let n = 0; n < 3; n++) {
        try { await ${use}; } catch (e: any) { seen.push([e.code, e.message, e.stack]); }
      }
      return Response.json(seen);`);
    assert.equal(answer.length, 3);
    for (const [code, message, stack] of answer) {
      assert.equal(code, "EGRESS_REFUSED");
      assert.ok(message.includes(`refuse ${host}:${bait.addr.port} `), message);
      assert.match(message, /BUTTERBASE_EGRESS_ALLOW/);
      assert.ok(stack.includes(message), stack);
      if (!what.startsWith("node:")) assert.match(stack, /handler/);
    }
    assert.equal(row.consoleLogs.length, 1, JSON.stringify(row.consoleLogs));
    assert.equal(row.consoleLogs[0].level, "warn");
    assert.equal(row.consoleLogs[0].message, answer[0][1]);
  });
}

/** The machine's own name, where it leads home, as /etc/hosts often has it. */
const homeName = Deno.hostname();
const leadsHome = (await lookup(homeName, { all: true }).catch(() => []))
  .some(({ address }) => address.startsWith("127."));

Deno.test({
  name: "a refusal of a name that resolves to a refused address names the address",
  ignore: !leadsHome,
  async fn() {
    const { answer, row } = await run(`
      const seen: any[] = [];
      for (const use of [() => fetch("http://${homeName}:" + port), () => Deno.connect({ hostname: "${homeName}", port })]) {
        try { await use(); } catch (e: any) { seen.push([e.code, e.message]); }
      }
      return Response.json(seen);`);
    assert.deepEqual(answer.map(([code]: string[]) => code), ["EGRESS_REFUSED", "EGRESS_REFUSED"]);
    assert.equal(row.consoleLogs.length, 1);
    assert.match(row.consoleLogs[0].message, /refuse 127\.[\d.]+:/);
  },
});

Deno.test("a refusal that nobody catches is in the log as both", async () => {
  const { row } = await run(`
    void fetch("http://127.0.0.1:" + port);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return Response.json(1);`);
  const messages = row.consoleLogs.map((entry: { message: string }) => entry.message);
  assert.equal(messages.length, 2);
  assert.match(messages[0], /^The network rules refuse 127\.0\.0\.1:/);
  assert.match(messages[1], /^Uncaught NotCapable: The network rules refuse/);
});

Deno.test("ports, datagrams and descriptors of the process are refused to Node's modules", async () => {
  const { answer, row } = await run(`
    const tries: Record<string, () => unknown> = {
      listen: () => failing(net.createServer().listen(0, "127.0.0.2")),
      http: () => failing(http.createServer().listen(0, "127.0.0.2")),
      dgram: () => failing(dgram.createSocket("udp4").bind(0, "127.0.0.2")),
    };
    const found: Record<string, string> = {};
    for (const [name, use] of Object.entries(tries)) {
      found[name] = await Promise.resolve().then(use).then(() => "worked", (e: any) => "refused: " + e.message);
    }
    // The platform's own sockets are among these.
    for (let fd = 0; fd < 64; fd++) {
      try {
        const socket = new net.Socket({ fd, readable: false } as any);
        socket.on("error", () => {});
        found["descriptor " + fd] = await new Promise((resolve) => {
          socket.write("forged", (e: any) => resolve(e ? "refused: " + e.message : "written"));
          setTimeout(() => resolve("refused: silence"), 50);
        });
      } catch (e: any) { found["descriptor " + fd] = "refused: " + e.message; }
    }
    return Response.json(found);`);
  for (const [name, result] of Object.entries<string>(answer)) assert.match(result, /^refused: /, name);
  const messages = row.consoleLogs.map((entry: { message: string }) => entry.message).join("\n");
  assert.match(messages, /opens no port/);
  assert.match(messages, /takes over no descriptor/);
});

Deno.test("user code gets at nothing behind the functions that are wrapped", async () => {
  const { answer } = await run(`
    const leaks: string[] = [];
    let looking = false;
    const wrapped = ["fetch", "connect", "connectTls", "WebSocket", "createTimer", "timeout"];
    const look = (name: string, receiver: any, given: any[]) => {
      if (looking) return;
      looking = true;
      for (const value of [receiver, ...given]) {
        if (typeof value === "function" && wrapped.includes(value.name) && /ext:|native code/.test(String(value))) leaks.push(name + " got " + value.name);
      }
      if (receiver instanceof Set || receiver instanceof WeakMap || receiver instanceof WeakRef) leaks.push(name);
      looking = false;
    };
    // Everything that a wrapper could call by way of the global objects.
    const spied: [any, string[]][] = [
      [Reflect, ["apply", "construct"]], [Function.prototype, ["call", "apply", "bind"]],
      [Promise.prototype, ["then", "catch", "finally"]], [Set.prototype, ["add", "delete", "has", "forEach"]],
      [Map.prototype, ["get", "set", "delete"]], [WeakMap.prototype, ["get", "set"]], [WeakRef.prototype, ["deref"]],
      [Object, ["entries", "values", "defineProperty"]], [Array.prototype, ["push", "splice", "filter", "map"]],
      [RegExp.prototype, ["exec"]], [EventTarget.prototype, ["addEventListener"]],
    ];
    const restore: (() => void)[] = [];
    const { apply: call } = Reflect;
    for (const [holder, names] of spied) for (const name of names) {
      const original = holder[name];
      restore.push(() => (holder[name] = original));
      holder[name] = function (...given: any[]) { look(name, this, given); return call(original, this, given); };
    }
    const originals: any[] = [];
    try {
      for (const use of [
        () => fetch("http://127.0.0.1:" + port), () => Deno.connect({ hostname: "127.0.0.1", port }),
        () => new WebSocket("ws://127.0.0.1:" + port), () => clearTimeout(setTimeout(() => {}, 1)), () => AbortSignal.timeout(1),
        () => net.connect(port, "127.0.0.1").on("error", () => {}),
      ]) try { await use(); } catch (e: any) { originals.push(e?.constructor); }
    } finally { for (const back of restore.reverse()) back(); }
    const same = {
      WebSocket: WebSocket.prototype.constructor === WebSocket, EventSource: EventSource.prototype.constructor === EventSource,
      gc: typeof (globalThis as any).gc,
    };
    return Response.json({ leaks: [...new Set(leaks)], same });`);
  assert.deepEqual(answer, { leaks: [], same: { WebSocket: true, EventSource: true, gc: "undefined" } });
});
