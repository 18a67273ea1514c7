// Bodies are bytes both ways, flow both ways, and wait for whoever reads them.

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

const limitBytes = 10 * 1024 * 1024;

/** An app with one open function, whose handler has this body. */
async function deployed(
  body: string,
  options: Record<string, unknown> = {},
): Promise<{ app: string; url: string; path: string }> {
  const app = await p.createApp();
  const code = `const state: any = {};
    const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    export default async function handler(req: Request, ctx: any): Promise<any> {\n${body}\n}`;
  const url = await p.deploy(app, "flow", code, options);
  return { app, url, path: new URL(url).pathname };
}

/** Bytes without any order that a compression or a lost chunk would keep. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Asks again until it is so. */
async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(`In vain awaited: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// One call lasts 40 s: it goes on while the other tests run, and the last test looks at what came of it.
let events: Promise<{ text: string; firstAfterMs: number; headers: Headers; app: string }>;
Deno.test("a stream of events begins at once", async () => {
  const { app, url } = await deployed(
    `const from = Date.now();
    return new Response(new ReadableStream({
      async start(controller) {
        const encoder = new TextEncoder();
        for (let n = 0; n <= 20; n++) {
          controller.enqueue(encoder.encode("id: " + n + "\\ndata: {}\\n\\n"));
          await sleep(2000);
        }
        controller.close();
      },
    }), { headers: { "content-type": "text/event-stream; charset=utf-8" } });`,
    { timeoutMs: 1000 },
  );
  const began = performance.now();
  const response = await fetch(url);
  const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())
    .getReader();
  const first = await reader.read();
  const firstAfterMs = performance.now() - began;
  assert.equal(first.value, "id: 0\ndata: {}\n\n");
  assert.ok(firstAfterMs < 5000);
  events = (async () => {
    let text = first.value ?? "";
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    return { text, firstAfterMs, headers: response.headers, app };
  })();
  events.catch(() => {});
});

Deno.test("5 MiB come back as they were sent, read whole", async () => {
  const { app, url } = await deployed(`return new Response(await req.bytes());`);
  const sent = noise(5 * 1024 * 1024);
  const response = await fetch(url, { method: "POST", body: sent });
  assert.equal(await hash(await response.bytes() as Uint8Array<ArrayBuffer>), await hash(sent));
  const [row] = await p.logs(app, "flow");
  assert.deepEqual([row.requestBytes, row.responseBytes], [sent.length, sent.length]);
});

Deno.test("5 MiB come back as they were sent, passed on as a stream", async () => {
  const { app, url } = await deployed(`return new Response(req.body);`);
  const sent = noise(5 * 1024 * 1024);
  // In chunks of odd sizes, without a length.
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 7 + 3) % 200_003 + 1) {
        controller.enqueue(sent.subarray(at, at + size));
      }
      controller.close();
    },
  });
  const response = await fetch(url, { method: "POST", body });
  assert.equal(await hash(await response.bytes() as Uint8Array<ArrayBuffer>), await hash(sent));
  const [row] = await p.logs(app, "flow");
  assert.deepEqual([row.requestBytes, row.responseBytes], [sent.length, sent.length]);
});

Deno.test("an answer larger than any limit on requests is delivered whole", async () => {
  const { url } = await deployed(`
    const bytes = new Uint8Array(30 * 1024 * 1024);
    for (let at = 0; at < bytes.length; at++) bytes[at] = at * 31 + (at >> 8);
    return new Response(bytes);`);
  const expected = new Uint8Array(30 * 1024 * 1024);
  for (let at = 0; at < expected.length; at++) expected[at] = at * 31 + (at >> 8);
  assert.equal(await hash(await (await fetch(url)).bytes() as Uint8Array<ArrayBuffer>), await hash(expected));
});

Deno.test("ten large bodies at once do not get mixed up", async () => {
  const { url } = await deployed(`return new Response(req.body);`);
  await Promise.all(Array.from({ length: 10 }, async () => {
    const sent = noise(1024 * 1024 + 17);
    const response = await fetch(url, { method: "POST", body: sent });
    assert.equal(await hash(await response.bytes() as Uint8Array<ArrayBuffer>), await hash(sent));
  }));
});

Deno.test("the answer flows back while the request is still being sent", async () => {
  const { path } = await deployed(
    `return new Response(req.body, { headers: { "content-type": "text/plain" } });`,
  );
  using connection = await RawConnection.open(p.origin);
  await connection.send(
    `POST ${path} HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  await connection.sendChunk("first");
  assert.equal((await connection.head()).status, 200);
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(await connection.chunk() ?? undefined), "first");
  await connection.sendChunk("second");
  assert.equal(decoder.decode(await connection.chunk() ?? undefined), "second");
  await connection.sendChunk("");
  assert.equal(await connection.chunk(), null);
});

Deno.test("each chunk of a slow stream arrives when it is written, also for a client that takes gzip", async () => {
  const { url } = await deployed(`
    if (req.method === "POST") return state.go();
    const gate = Promise.withResolvers<void>();
    state.go = () => { gate.resolve(); return new Response("gone on"); };
    return new Response(new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode("one ".repeat(50)));
        await gate.promise;
        controller.enqueue(new TextEncoder().encode("two"));
        controller.close();
      },
    }), { headers: { "content-type": new URL(req.url).searchParams.get("type") } });`);
  for (const type of ["text/plain", "application/json", "application/octet-stream"]) {
    const response = await fetch(`${url}?type=${type}`, { headers: { "accept-encoding": "gzip" } });
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())
      .getReader();
    assert.equal((await reader.read()).value, "one ".repeat(50), type);
    assert.equal(await (await fetch(url, { method: "POST" })).text(), "gone on");
    assert.equal((await reader.read()).value, "two");
    assert.equal((await reader.read()).done, true);
  }
});

Deno.test("a stream that a client reads slowly is written slowly, and held nowhere", async () => {
  const { app, url, path } = await deployed(`
    if (req.method === "POST") return Response.json(state.written);
    state.written = 0;
    const chunk = new Uint8Array(64 * 1024);
    return new Response(new ReadableStream({
      pull(controller) {
        state.written += chunk.length;
        controller.enqueue(chunk.slice());
        if (state.written >= 512 * 1024 * 1024) controller.close();
      },
    }));`);
  const written = async () => await (await fetch(url, { method: "POST" })).json();
  using connection = await RawConnection.open(p.origin);
  await connection.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  assert.equal((await connection.head()).status, 200);
  const before = Deno.memoryUsage().rss;
  let last = -1;
  await until(async () => {
    const now = await written();
    const still = now === last;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return still;
  }, "the writer waits");
  // What is under way fills the sockets' buffers and our windows.
  assert.ok(last < 32 * 1024 * 1024, `${last} bytes were written for a client that read nothing`);
  assert.ok(Deno.memoryUsage().rss - before < 64 * 1024 * 1024);
  let read = 0;
  while (read < 20 * 1024 * 1024) read += (await connection.chunk())?.length ?? 0;
  await until(async () => await written() > last, "the writer goes on");
  assert.ok(await written() - read < 32 * 1024 * 1024);
  connection.close();
  const rows = await p.logs(app, "flow", { count: 1, query: "limit=1000" });
  assert.ok(rows.length > 0);
});

Deno.test("an upload that the handler does not read waits with the client", async () => {
  const { url, path } = await deployed(`
    if (req.method === "GET") { state.read(); return new Response("read"); }
    await new Promise<void>((resolve) => { state.read = resolve; });
    return Response.json((await req.bytes()).length);`);
  using connection = await RawConnection.open(p.origin);
  await connection.send(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${limitBytes}\r\n\r\n`);
  const sent = connection.send(new Uint8Array(limitBytes));
  await until(async () => (await (await fetch(url)).text()) === "read", "the handler has begun");
  await sent;
  assert.equal((await connection.answer()).text, String(limitBytes));
});

Deno.test("a handler may answer without reading the upload", async () => {
  const { app, url, path } = await deployed(`return new Response("no thanks", { status: 403 });`);
  const response = await fetch(url, { method: "POST", body: new Uint8Array(1024 * 1024) });
  assert.deepEqual([response.status, await response.text()], [403, "no thanks"]);
  using connection = await RawConnection.open(p.origin);
  await connection.send(`POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
  await connection.sendChunk("begun");
  assert.equal((await connection.answer()).text, "no thanks");
  assert.equal((await p.logs(app, "flow", { count: 2 })).length, 2);
});

Deno.test("a client that leaves aborts req.signal, and the log says that it left", async () => {
  const { app, url } = await deployed(`
    if (req.method === "POST") return Response.json(state);
    state.begun = true;
    await new Promise<void>((resolve) => req.signal.addEventListener("abort", () => {
      state.reason = req.signal.reason.name;
      console.log("aborted", req.signal.aborted);
      resolve();
    }));
    return new Response("for nobody");`);
  const leaving = new AbortController();
  const call = fetch(url, { signal: leaving.signal });
  const seen = async () => await (await fetch(url, { method: "POST" })).json();
  await until(async () => (await seen()).begun === true, "the handler has begun");
  leaving.abort();
  await assert.rejects(call);
  await until(async () => (await seen()).reason === "AbortError", "the signal is aborted");
  await until(async () => (await p.logs(app, "flow")).some(({ method }) => method === "GET"), "the log row");
  const row = (await p.logs(app, "flow")).find(({ method }) => method === "GET");
  assert.equal(row.statusCode, 499);
  assert.match(row.error, /client went away/);
  assert.deepEqual(row.consoleLogs.map(({ message }: { message: string }) => message), ["aborted true"]);
});

Deno.test("a client that leaves a stream aborts req.signal and cancels the stream", async () => {
  const { app, url } = await deployed(`
    if (req.method === "POST") return Response.json(state);
    req.signal.addEventListener("abort", () => { state.aborted = true; });
    return new Response(new ReadableStream({
      async pull(controller) { await sleep(5); controller.enqueue(new Uint8Array(1000)); },
      cancel() { state.cancelled = true; },
    }));`);
  const leaving = new AbortController();
  const response = await fetch(url, { signal: leaving.signal });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  leaving.abort();
  await reader.read().catch(() => {});
  const seen = async () => await (await fetch(url, { method: "POST" })).json();
  await until(async () => (await seen()).cancelled === true, "the stream is cancelled");
  assert.deepEqual(await seen(), { aborted: true, cancelled: true });
  await until(async () => (await p.logs(app, "flow")).some(({ method }) => method === "GET"), "the log row");
  const row = (await p.logs(app, "flow")).find(({ method }) => method === "GET");
  assert.deepEqual([row.statusCode, row.error], [200, null]);
});

Deno.test("req.signal is not aborted by an answer that was delivered", async () => {
  const { app, url } = await deployed(`
    if (req.method === "POST") return Response.json(state);
    req.signal.addEventListener("abort", () => { state.aborted = true; });
    ctx.waitUntil(sleep(300).then(() => { state.over = true; }));
    return new Response("x");`);
  await (await fetch(url)).text();
  await p.logs(app, "flow");
  assert.deepEqual(await (await fetch(url, { method: "POST" })).json(), { over: true });
});

Deno.test("a stream that fails half way breaks off for the caller, and is logged with its error", async () => {
  const { app, path } = await deployed(`
    let n = 0;
    return new Response(new ReadableStream({
      async pull(controller) {
        await sleep(10);
        if (++n === 3) throw new RangeError("the source dried up");
        controller.enqueue(new TextEncoder().encode("part " + n));
      },
    }));`);
  await assert.rejects(rawRequest(p.origin, `GET ${path}`), /broke off|Connection reset/);
  const [row] = await p.logs(app, "flow");
  assert.deepEqual([row.statusCode, row.error], [200, "the source dried up"]);
  assert.match(row.stack, /RangeError: the source dried up\n {4}at .*flow\.ts:9:/);
});

Deno.test("a stream of what is not bytes breaks off, and the isolate goes on", async () => {
  const { app, url } = await deployed(`
    if (req.method === "POST") return new Response("alive");
    return new Response(new ReadableStream({ start(c) { c.enqueue("text" as any); c.close(); } }));`);
  await assert.rejects(async () => await (await fetch(url)).text());
  assert.equal(await (await fetch(url, { method: "POST" })).text(), "alive");
  const rows = await p.logs(app, "flow", { count: 2 });
  assert.match(rows.find(({ method }) => method === "GET").error, /Uint8Array/);
});

Deno.test("an upload over the limit is refused with 413, by its declared length before anything runs", async () => {
  const { app, path, url } = await deployed(`await req.bytes(); return new Response("taken");`);
  const refused = await rawRequest(p.origin, `POST ${path}`, [`content-length: ${limitBytes + 1}`]);
  const { error } = JSON.parse(refused.text);
  assert.deepEqual([refused.status, error.code], [413, "PAYLOAD_TOO_LARGE"]);
  assert.equal(error.details.limit_bytes, limitBytes);
  assert.notEqual(error.remediation, "");
  assert.equal((await p.json("GET", `/v1/${app}/functions/flow/logs`)).body.logs.length, 0);
  const whole = await fetch(url, { method: "POST", body: new Uint8Array(limitBytes) });
  assert.deepEqual([whole.status, await whole.text()], [200, "taken"]);
});

Deno.test("an upload over the limit is refused with 413 also when its length was not said", async () => {
  const { app, path, url } = await deployed(`
    if (req.method === "GET") return new Response("alive");
    await req.bytes();
    return new Response("taken");`);
  using connection = await RawConnection.open(p.origin);
  await connection.send(`POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
  const sending = (async () => {
    for (let sent = 0; sent <= limitBytes; sent += 64 * 1024) {
      await connection.sendChunk(new Uint8Array(64 * 1024));
    }
  })().catch(() => {});
  const answer = await connection.answer();
  assert.deepEqual([answer.status, JSON.parse(answer.text).error.code], [413, "PAYLOAD_TOO_LARGE"]);
  await sending;
  assert.equal(await (await fetch(url)).text(), "alive");
  const rows = await p.logs(app, "flow", { count: 2 });
  assert.equal(rows.find(({ method }) => method === "POST").statusCode, 413);
});

Deno.test("a body that is cut off half way is an error for the handler, and hurts nobody else", async () => {
  const { app, path, url } = await deployed(`
    if (req.method === "GET") return Response.json(state.begun ?? 0);
    state.begun = (state.begun ?? 0) + 1;
    try {
      await req.bytes();
    } catch (error) {
      console.log("cut", (error as Error).name);
      throw error;
    }
    return new Response("whole");`);
  const begun = async () => await (await fetch(url)).json();
  const cuts = [
    ["content-length: 5000000", "only this"],
    ["transfer-encoding: chunked", "5\r\nhello\r\n"],
    ["transfer-encoding: chunked", "ffff\r\nhello"],
  ];
  for (const [at, [header, body]] of cuts.entries()) {
    using connection = await RawConnection.open(p.origin);
    await connection.send(`POST ${path} HTTP/1.1\r\nhost: x\r\n${header}\r\n\r\n${body}`);
    // Cut before the call has begun, it would be no call at all.
    await until(async () => await begun() === at + 1, "the call has begun");
    connection.close();
  }
  const posts = async () => (await p.logs(app, "flow")).filter(({ method }) => method === "POST");
  await until(async () => (await posts()).length === cuts.length, "the log rows");
  for (const row of await posts()) {
    assert.deepEqual([row.statusCode, row.error], [400, "The request's body broke off before its end"]);
    assert.match(row.consoleLogs.map(({ message }: { message: string }) => message).join(), /^cut/);
  }
  // A small body is read before the call begins: there is none.
  using connection = await RawConnection.open(p.origin);
  await connection.send(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf`);
  connection.close();
  assert.equal(await begun(), cuts.length);
});

Deno.test("a malformed request is refused, and the server goes on", async () => {
  const { url, path } = await deployed(`return new Response("alive " + (await req.text()));`);
  const bad = [
    `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n`,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\nconnection: close\r\n\r\n`,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\nconnection: close\r\n\r\nabcd`,
    `GET ${path} HTTP/9.9\r\nhost: x\r\n\r\n`,
    `GET ${path}\u0001 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    "\u0000\u0001\u0002\r\n\r\n",
  ];
  for (const text of bad) {
    using connection = await RawConnection.open(p.origin);
    await connection.send(text);
    const status = await connection.answer().then((answer) => answer.status, () => "closed");
    assert.ok(
      status === "closed" || (status as number) >= 400 && (status as number) < 600,
      `${text}: ${status}`,
    );
    assert.notEqual(status, 500);
    assert.equal(await (await fetch(url)).text(), "alive ");
  }
});

Deno.test("bombs of headers are refused on the way in", async () => {
  const { url, path } = await deployed(`return new Response("alive");`);
  const bombs = [
    Array.from({ length: 5000 }, (_, at) => `x-${at}: 1`),
    [`x-long: ${"a".repeat(2 * 1024 * 1024)}`],
    [`cookie: ${"a=b; ".repeat(300_000)}`],
  ];
  for (const headers of bombs) {
    const status = await rawRequest(p.origin, `GET ${path}`, headers).then(
      ({ status }) => status,
      () => "closed",
    );
    assert.ok(["closed", 400, 431].includes(status), String(status));
    assert.equal(await (await fetch(url)).text(), "alive");
  }
  const long = await rawRequest(p.origin, `GET ${path}?${"q".repeat(2 * 1024 * 1024)}`)
    .then(({ status }) => status, () => "closed");
  assert.ok(["closed", 400, 414, 431].includes(long as number), String(long));
  const many = await rawRequest(p.origin, `GET ${path}`, Array.from({ length: 80 }, (_, at) => `x-${at}: 1`));
  assert.equal(many.status, 200);
});

Deno.test("bombs of headers in an answer are that call's failure, and nobody else's", async () => {
  const { app, url } = await deployed(`
    const bomb = new URL(req.url).searchParams.get("bomb");
    const headers = new Headers();
    if (bomb === "many") for (let n = 0; n < 2000; n++) headers.append("x-" + n, "a".repeat(200));
    if (bomb === "long") headers.set("x-long", "a".repeat(4_000_000));
    if (bomb === "huge") headers.set("x-huge", "a".repeat(40_000_000));
    if (bomb === null) await sleep(300);
    return new Response("alive", { headers });`);
  for (const bomb of ["many", "long", "huge"]) {
    const neighbour = fetch(url);
    const response = await fetch(`${url}?bomb=${bomb}`);
    assert.deepEqual(
      [response.status, (await response.json()).error.code],
      [500, "FUNCTION_BAD_RESPONSE"],
      bomb,
    );
    assert.equal(await (await neighbour).text(), "alive");
  }
  const rows = await p.logs(app, "flow", { count: 3, query: "level=error" });
  for (const { error } of rows) assert.match(error, /bytes of headers/);
});

Deno.test("a stream of events lasts as long as it has something to say, beyond the time for an answer", async () => {
  const { text, headers, app } = await events;
  assert.equal(text, Array.from({ length: 21 }, (_, n) => `id: ${n}\ndata: {}\n\n`).join(""));
  assert.equal(headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.match(String(headers.get("cache-control")), /no-transform/);
  assert.equal(headers.get("x-accel-buffering"), "no");
  const [row] = await p.logs(app, "flow");
  assert.deepEqual([row.statusCode, row.error, row.responseBytes], [200, null, text.length]);
});
