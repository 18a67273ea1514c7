// What the kernel holds of the isolate hosts of a running platform, seen from outside and from within a function.

import assert from "node:assert/strict";
import { type Need, needs } from "./hostile/needs.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

const lacks = (...wanted: Need[]) => !wanted.every((need) => needs[need].there());

/** Names of what the operator opened; their listeners stand on loopback alone. */
const opened = { BUTTERBASE_EGRESS_ALLOW: "127.0.0.1,localhost,[::1]" };

interface Listeners extends AsyncDisposable {
  readonly port: number;
  readonly visits: { v4: number; v6: number };
}

function listen(): Listeners {
  const visits = { v4: 0, v6: 0 };
  const answer = (way: keyof typeof visits) => (request: Request) => {
    visits[way]++;
    if (request.headers.get("upgrade") !== "websocket") return new Response(way);
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => socket.send(way);
    return response;
  };
  const v4 = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer("v4"));
  const { port } = v4.addr;
  const v6 = Deno.serve({ hostname: "::1", port, onListen() {} }, answer("v6"));
  return {
    port,
    visits,
    async [Symbol.asyncDispose]() {
      await Promise.all([v4.shutdown(), v6.shutdown()]);
    },
  };
}

/** A function that connects to each host by every way that there is, and answers what became of it. */
const connects = `import net from "node:net"; import http from "node:http";
export default async function handler(req) {
  const { hosts, port } = await req.json();
  const found = {};
  for (const host of hosts) {
    const url = host.includes(":") ? "[" + host + "]" : host;
    const ways = {
      fetch: async () => (await fetch("http://" + url + ":" + port)).text(),
      connect: async () => { const c = await Deno.connect({ hostname: host, port }); c.close(); return c.remoteAddr.hostname; },
      net: () => new Promise((yes, no) => {
        const s = net.connect(port, host, () => { yes(s.remoteAddress); s.destroy(); }).on("error", no);
      }),
      http: () => new Promise((yes, no) => http.get({ host, port }, (r) => r.on("data", (d) => yes(String(d)))).on("error", no)),
      WebSocket: () => new Promise((yes, no) => {
        const s = new WebSocket("ws://" + url + ":" + port);
        s.onmessage = ({ data }) => { yes(data); s.close(); };
        s.onerror = (event) => no(new Error(event.message));
      }),
    };
    for (const [way, run] of Object.entries(ways)) {
      found[way + " " + host] = await run().then((got) => "reached " + got, (error) => String(error.cause ?? error.message));
    }
  }
  return Response.json(found);
}`;

async function connect(
  p: TestPlatform,
  hosts: string[],
  port: number,
  app?: string,
): Promise<[string, string][]> {
  const url = await p.deploy(app ?? await p.createApp(), "connects", connects);
  const response = await fetch(url, { method: "POST", body: JSON.stringify({ hosts, port }) });
  assert.equal(response.status, 200);
  return Object.entries(await response.json());
}

/** Of no address of these may a packet be sent; the tests run where they are refused before there is a socket. */
const ranges = ["fd00::1", "fe80::1", "64:ff9b::7f00:1", "ff02::1", "::ffff:127.0.0.1", "2002:7f00:1::"];

Deno.test({
  name:
    "a function has no IPv6, whatever the operator allows; a name with both kinds of address leads to IPv4",
  ignore: lacks("seccomp", "ipv6"),
  async fn() {
    await using listeners = listen();
    await using p = await startTestPlatform(opened);
    const named = await connect(p, ["localhost", "127.0.0.1"], listeners.port);
    for (const [way, result] of named) assert.match(result, /^reached (v4|127\.0\.0\.1)$/, way);
    const six = await connect(p, ["::1"], listeners.port);
    for (const [way, result] of six) assert.doesNotMatch(result, /^reached/, way);
    assert.equal(listeners.visits.v6, 0);
    const app = await p.createApp();
    for (const [way, result] of await connect(p, ranges, listeners.port, app)) {
      assert.match(result, /EAFNOSUPPORT|Address family not supported|tcp open error|over IPv6/, way);
    }
    const [{ consoleLogs }] = await p.logs(app, "connects");
    const told = consoleLogs.map(({ message }: { message: string }) => message);
    for (const range of ranges) {
      const places = told.filter((message: string) => message.includes(`[${range}]:${listeners.port} `));
      assert.equal(places.length, 1, `${range}: ${told}`);
      assert.match(places[0], /over IPv6: .*BUTTERBASE_EGRESS_IPV6$/);
    }
  },
});

Deno.test({
  name: "BUTTERBASE_EGRESS_IPV6=allow gives functions IPv6 again",
  ignore: lacks("seccomp", "ipv6"),
  async fn() {
    await using listeners = listen();
    await using p = await startTestPlatform({ ...opened, BUTTERBASE_EGRESS_IPV6: "allow" });
    for (const [way, result] of await connect(p, ["::1"], listeners.port)) {
      assert.match(result, /^reached (v6|::1)$/, way);
    }
  },
});

Deno.test({
  name: "every thread of every host is under the kernel's filter, and none is root",
  ignore: lacks("seccomp"),
  async fn() {
    await using p = await startTestPlatform();
    // It takes Deno a thread more to resolve a name, and V8 to compile.
    const url = await p.deploy(
      await p.createApp(),
      "busy",
      `export default async () => { await fetch("http://localhost:1").catch(() => {}); return new Response("done"); }`,
    );
    assert.equal(await (await fetch(url)).text(), "done");
    const threads = p.platform.isolates.pids().flatMap((pid) =>
      [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) =>
        Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`)
      )
    );
    assert.ok(threads.length > 4, `${threads.length} threads were seen`);
    for (const status of threads) {
      assert.match(status, /^Seccomp:\s+2$/m);
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      assert.doesNotMatch(status, /^Uid:.*\b0\b/m);
      assert.match(status, /^CapEff:\s+0+$/m);
    }
    for (const pid of p.platform.isolates.pids()) {
      const writable = [...Deno.readDirSync(`/proc/${pid}/fd`)].filter(({ name }) => {
        const flags = /^flags:\s+(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/fdinfo/${name}`))?.[1];
        return (parseInt(flags ?? "0", 8) & 3) !== 0;
      }).map(({ name }) => Deno.readLinkSync(`/proc/${pid}/fd/${name}`));
      // Its own sockets and pipes, and the locks of the cache.
      assert.deepEqual(
        writable.filter((path) => /^\/(?!dev\/null$)/.test(path) && !path.endsWith("-shm")),
        [],
      );
    }
  },
});
