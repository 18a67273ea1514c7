// What functions reach of the network: real listeners on loopback, of which the operator of this platform opens one address.

import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

const openAddress = "127.0.0.2";

let p: TestPlatform;
let servers: AsyncDisposableStack;
/** Two on the open address, one on a closed one. */
let first: Listener, second: Listener, closed: Listener;

interface Listener extends AsyncDisposable {
  host: string;
  /** Paths asked for so far. */
  seen: string[];
}

/** Answers "here"; a path `/to/…` redirects to what follows. */
function listen(hostname: string): Listener {
  const seen: string[] = [];
  const server = Deno.serve({ port: 0, hostname, onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    seen.push(pathname);
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => socket.send("here");
      return response;
    }
    if (pathname.startsWith("/to/")) return Response.redirect(`http://${pathname.slice(4)}/`);
    return new Response("here");
  });
  return { host: `${hostname}:${server.addr.port}`, seen, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: `${openAddress},localhost` });
  servers = new AsyncDisposableStack();
  [first, second, closed] = [openAddress, openAddress, "127.0.0.1"].map((host) =>
    servers.use(listen(host))
  ) as [
    Listener,
    Listener,
    Listener,
  ];
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
  await servers.disposeAsync();
});

/** The tests' PostgreSQL listens on a unix socket alone: a TCP port in front of it. */
function forwardToPostgres(databaseUrl: string): AsyncDisposable & { host: string; url: string } {
  const url = new URL(databaseUrl);
  const path = `${url.searchParams.get("host")}/.s.PGSQL.${url.port || url.searchParams.get("port") || 5432}`;
  const listener = Deno.listen({ hostname: "127.0.0.3", port: 0 });
  const { port } = listener.addr;
  async function forward(from: Deno.Conn): Promise<void> {
    const to = await Deno.connect({ transport: "unix", path });
    const both = [from.readable.pipeTo(to.writable), to.readable.pipeTo(from.writable)];
    // Either side may break off.
    await Promise.allSettled(both);
  }
  const open: Promise<void>[] = [];
  const serving = (async () => {
    for await (const connection of listener) open.push(forward(connection));
  })();
  url.search = "";
  url.host = `127.0.0.3:${port}`;
  return {
    host: `127.0.0.3:${port}`,
    url: url.href,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
      await Promise.all(open);
    },
  };
}

/** A function that goes where it is told and says what came of it. */
const reach = `import http from "node:http";
import net from "node:net";
const ways = {
  fetch: async (host) => await (await fetch("http://" + host + "/")).text(),
  connect: async (host) => {
    const [hostname, port] = host.split(":");
    (await Deno.connect({ hostname, port: Number(port) })).close();
    return "here";
  },
  "node:net": (host) => new Promise((yes, no) => {
    const [hostname, port] = host.split(":");
    const socket = net.connect(Number(port), hostname, () => { socket.destroy(); yes("here"); });
    socket.on("error", no);
  }),
  "node:http": (host) => new Promise((yes, no) => {
    http.get("http://" + host + "/", (answer) => answer.on("data", (text) => yes(String(text)))).on("error", no);
  }),
  WebSocket: (host) => new Promise((yes, no) => {
    const socket = new WebSocket("ws://" + host + "/");
    socket.onmessage = ({ data }) => { socket.close(); yes(data); };
    socket.onerror = ({ message }) => no(new Error(message));
  }),
};
export default async function handler(request) {
  const { host, way } = await request.json();
  try {
    return new Response(await ways[way](host));
  } catch (error) {
    return new Response("refused: " + error.message);
  }
}`;

async function go(url: string, host: string, way = "fetch"): Promise<string> {
  const answer = await fetch(url, { method: "POST", body: JSON.stringify({ host, way }) });
  return await answer.text();
}

const setEgress = (app: string, body: unknown, key?: string) =>
  p.json("PATCH", `/v1/${app}/config/egress`, {
    body: body as object,
    ...(key === undefined ? {} : { key }),
  });

const ways = ["fetch", "connect", "node:net", "node:http", "WebSocket"];

async function world(): Promise<{ app: string; url: string }> {
  const app = await p.createApp();
  return { app, url: await p.deploy(app, "reach", reach) };
}

Deno.test("a function reaches the address that the operator opens, and no other of this machine", async () => {
  const { url } = await world();
  for (const way of ways) {
    assert.equal(await go(url, first.host, way), "here", way);
    assert.match(await go(url, closed.host, way), /^refused: /, way);
  }
  assert.deepEqual(closed.seen, []);
});

Deno.test("a name that resolves to what is not open is refused, also when the app allows the name", async () => {
  const { app, url } = await world();
  const named = closed.host.replace("127.0.0.1", "localhost");
  for (const egress of [{ allow: null }, { allow: ["localhost", "127.0.0.1"] }]) {
    assert.equal((await setEgress(app, egress)).status, 200);
    for (const way of ways) assert.match(await go(url, named, way), /^refused: /, way);
  }
  assert.deepEqual(closed.seen, []);
});

Deno.test("an app narrows what its functions reach, at once, and opens it again", async () => {
  const { app, url } = await world();
  const other = await world();
  assert.equal(await go(url, second.host), "here");
  const narrowed = await setEgress(app, { allow: [first.host] });
  assert.equal(narrowed.status, 200);
  assert.deepEqual(narrowed.body.egress, { allow: [first.host], deny: [] });
  for (const way of ways) {
    assert.equal(await go(url, first.host, way), "here", way);
    assert.match(await go(url, second.host, way), /^refused: /, way);
  }
  assert.equal(await go(other.url, second.host), "here");

  assert.equal((await setEgress(app, { deny: [first.host] })).status, 200);
  assert.match(await go(url, first.host), /^refused: /);
  assert.equal((await setEgress(app, { allow: null, deny: [] })).status, 200);
  assert.equal(await go(url, second.host), "here");
});

Deno.test("what an app narrows on one node is narrowed on every node", async () => {
  const { app, url } = await world();
  await using other = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: openAddress }, { joining: p });
  const there = url.replace(p.origin, other.origin);
  assert.equal(await go(there, second.host), "here");
  await setEgress(app, { allow: [first.host] });
  const deadline = performance.now() + 20_000;
  while ((await go(there, second.host)) === "here") {
    assert.ok(performance.now() < deadline, "the other node still goes by the former list");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.match(await go(there, second.host), /^refused: /);
  assert.equal(await go(there, first.host), "here");
});

Deno.test("an app that allows nothing runs, and reaches nothing", async () => {
  const { app, url } = await world();
  await setEgress(app, { allow: [] });
  for (const way of ways) assert.match(await go(url, first.host, way), /^refused: /, way);
});

Deno.test("an app cannot open what the operator closes", async () => {
  const { app, url } = await world();
  await setEgress(app, { allow: ["127.0.0.0/8", "0.0.0.0/0", "localhost", closed.host] });
  const hosts = [
    closed.host,
    closed.host.replace("127.0.0.1", "0.0.0.0"),
    closed.host.replace("127.0.0.1", "127.1"),
  ];
  for (const host of hosts) {
    for (const way of ways) assert.match(await go(url, host, way), /^refused: /, `${host} by ${way}`);
  }
  assert.equal(await go(url, first.host), "here");
  assert.deepEqual(closed.seen, []);
});

Deno.test("a redirect to what the app or the operator does not allow is refused", async () => {
  const { app, url } = await world();
  assert.equal(await go(url, `${first.host}/to/${second.host}`), "here");
  assert.match(await go(url, `${first.host}/to/${closed.host}`), /^refused: /);
  await setEgress(app, { allow: [first.host] });
  const asked = second.seen.length;
  assert.match(await go(url, `${first.host}/to/${second.host}`), /^refused: /);
  assert.equal(second.seen.length, asked);
  assert.deepEqual(closed.seen, []);
});

Deno.test("what comes to be denied while the server runs is refused from then on, by warm hosts too", async () => {
  const { url } = await world();
  const { isolates } = p.platform;
  assert.equal(await go(url, second.host), "here");
  const rules = { allow: [openAddress, "localhost"], deny: [] };
  isolates.setEgress({ ...rules, deny: [second.host] });
  for (const way of ways) assert.match(await go(url, second.host, way), /^refused: /, way);
  assert.equal(await go(url, first.host), "here");
  isolates.setEgress(rules);
  assert.equal(await go(url, second.host), "here");
});

Deno.test("apps that narrow have a warm host each, the last four of them", async () => {
  const { isolates } = p.platform;
  isolates.setEgress({ allow: [openAddress, "localhost"], deny: [] });
  const warm = async (count: number) => {
    const deadline = performance.now() + 20_000;
    while (isolates.stats().warm !== count) {
      assert.ok(performance.now() < deadline, `${isolates.stats().warm} hosts are warm, not ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await warm(1);
  for (let made = 1; made <= 6; made++) {
    const { app, url } = await world();
    await setEgress(app, { allow: [first.host, `n${made}.example.com`] });
    assert.equal(await go(url, first.host), "here");
    await warm(1 + Math.min(made, 4));
  }
});

Deno.test("PostgreSQL's own address is refused where the operator opens the range that holds it", async () => {
  await using database = forwardToPostgres(p.databaseUrl);
  await using node = await startTestPlatform({
    BUTTERBASE_EGRESS_ALLOW: "127.0.0.0/8",
    DATABASE_URL: database.url,
  }, { joining: p });
  const app = await node.createApp();
  const url = await node.deploy(app, "reach", reach);
  assert.equal(await go(url, closed.host), "here");
  for (const way of ways) assert.match(await go(url, database.host, way), /^refused: /, way);
  closed.seen.length = 0;
});

Deno.test("a call that runs while the app narrows its egress ends as it would have", async () => {
  const app = await p.createApp();
  const url = await p.deploy(
    app,
    "long",
    `export default async (request) => {
      const body = await request.text();
      return new Response(body + await (await fetch("http://${second.host}/")).text());
    }`,
  );
  const gate = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode("still "));
      await gate.promise;
      controller.close();
    },
  });
  const running = fetch(url, { method: "POST", body });
  while (p.platform.isolates.stats().running === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await setEgress(app, { allow: [] });
  gate.resolve();
  assert.equal(await (await running).text(), "still here");
  assert.equal(
    (await p.json("POST", `/v1/${app}/functions/long/invoke`, { body: { body: "x" } })).status,
    500,
  );
});

Deno.test("config shows the lists, and a mistake in them is told with its place", async () => {
  const { app } = await world();
  const { body: before } = await p.json("GET", `/v1/${app}/config`);
  assert.deepEqual(before.egress, { allow: null, deny: [] });
  await setEgress(app, { allow: ["API.Example.com", "*.example.org:443", "10.1.2.3/8"], deny: ["8.8.8.8"] });
  const lists = { allow: ["api.example.com", "*.example.org:443", "10.0.0.0/8"], deny: ["8.8.8.8"] };
  assert.deepEqual((await p.json("GET", `/v1/${app}/config`)).body.egress, lists);

  const wrong: [unknown, (string | number)[]][] = [
    [{ allow: ["good.example.com", "https://example.com/"] }, ["allow", 1]],
    [{ deny: ["127.1"] }, ["deny", 0]],
    [{ allow: [7] }, ["allow", 0]],
    [{ allow: "example.com" }, ["allow"]],
    [{ deny: null }, ["deny"]],
    [{ allow: Array(101).fill("example.com") }, ["allow"]],
    [{ allowed: [] }, ["allowed"]],
    [{}, ["allow"]],
  ];
  for (const [body, path] of wrong) {
    const { status, body: answer } = await setEgress(app, body);
    assert.deepEqual([status, answer.error.code], [400, "VALIDATION_INVALID_SCHEMA"], JSON.stringify(body));
    assert.deepEqual(answer.error.details[0].path, path);
  }
  assert.deepEqual((await p.json("GET", `/v1/${app}/config`)).body.egress, lists);
});

Deno.test("only who may manage the app sets what its functions reach", async () => {
  const { app } = await world();
  const stranger = await p.addAccount();
  const { status } = await setEgress(app, { allow: [] }, stranger);
  assert.ok(status === 403 || status === 404, String(status));
  assert.equal((await p.json("GET", `/v1/${app}/config`)).body.egress.allow, null);
});

Deno.test("code that imports from an address is not deployed, nothing is asked there, and the error names it", async () => {
  const app = await p.createApp();
  const specifier = `http://${closed.host}/module.ts`;
  for (
    const code of [
      `import x from "${specifier}";\nexport default () => new Response(x);`,
      `export default async () => new Response((await import("${specifier}")).default);`,
    ]
  ) {
    const { status, body } = await p.json("POST", `/v1/${app}/functions`, {
      body: { name: "importer", code },
    });
    assert.equal(status, 400);
    assert.ok(body.error.message.includes(specifier), body.error.message);
  }
  assert.deepEqual(closed.seen, []);
});
