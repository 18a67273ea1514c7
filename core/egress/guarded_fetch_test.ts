import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { AppError } from "../errors.ts";
import { createGuardedFetch, type GuardedFetchParts, type GuardedRequest } from "./guarded_fetch.ts";
import type { EgressRules } from "./judge.ts";

/** A server on a loopback address that notes what it was asked. */
function listener(hostname: string, answer: (request: Request) => Response | Promise<Response>) {
  const seen: { path: string; method: string; headers: Headers; body: string }[] = [];
  const server = Deno.serve({ port: 0, hostname, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const { method, headers } = request;
    seen.push({ path: pathname, method, headers, body: await request.clone().text() });
    return await answer(request);
  });
  const { port } = server.addr;
  return { port, seen, url: `http://${hostname}:${port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

const open: EgressRules = { allow: ["127.0.0.2"], deny: [] };

function fetcher(parts: Partial<GuardedFetchParts> = {}) {
  return createGuardedFetch({ rules: () => open, ...parts });
}

async function refusal(url: string, request: GuardedRequest = {}, parts: Partial<GuardedFetchParts> = {}) {
  try {
    await fetcher(parts)(url, request);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error(`${url} was fetched`);
}

const text = (body: Uint8Array) => new TextDecoder().decode(body);

Deno.test("what is not public is refused before anything is sent, and the error says what and why", async () => {
  await using home = listener("127.0.0.1", () => new Response("secret"));
  const names: Record<string, string> = { "home.test": "127.0.0.1", "mapped.test": "::ffff:127.0.0.1" };
  const resolve = (name: string) => {
    const address = names[name] ?? "127.0.0.1";
    return Promise.resolve([{ address, family: address.includes(":") ? 6 : 4 }]);
  };
  const hosts = [
    ..."127.0.0.1 127.1 0x7f.1 2130706433 0177.0.0.1 127.0.0.1. [::1] [::ffff:127.0.0.1] 0.0.0.0 [::]".split(
      " ",
    ),
    ..."localhost LOCALHOST. home.test mapped.test 127。0。0。1 [64:ff9b::7f00:1] [2002:7f00:1::]".split(" "),
  ];
  for (const host of hosts) {
    const error = await refusal(`http://${host}:${home.port}/`, {}, { resolve });
    assert.equal(error.code, "EGRESS_REFUSED", host);
    assert.match(error.message, /^Cannot fetch "http:.* is (not public: |a name of this machine)/, host);
    assert.match(error.remediation, /BUTTERBASE_EGRESS_ALLOW/);
  }
  assert.deepEqual(home.seen, []);
});

Deno.test("a name of which one address is not public is refused, whichever comes first", async () => {
  await using home = listener("127.0.0.2", () => new Response("ok"));
  for (const addresses of [["127.0.0.2", "10.0.0.1"], ["10.0.0.1", "127.0.0.2"]]) {
    const resolve = () => Promise.resolve(addresses.map((address) => ({ address, family: 4 })));
    const error = await refusal(`http://two.test:${home.port}/`, {}, { resolve });
    assert.match(error.message, /two\.test:\d+, which is at 10\.0\.0\.1, is not public: private$/);
  }
  assert.deepEqual(home.seen, []);
});

Deno.test("the connection goes to the address that was judged: the name is resolved once", async () => {
  await using allowed = listener("127.0.0.2", () => new Response("judged"));
  let asked = 0;
  const resolve = () => Promise.resolve([{ address: asked++ === 0 ? "127.0.0.2" : "127.0.0.1", family: 4 }]);
  const { status, body } = await fetcher({ resolve })(`http://rebind.test:${allowed.port}/path?q=1`);
  assert.deepEqual([status, text(body), asked], [200, "judged", 1]);
  assert.equal(allowed.seen[0]?.headers.get("host"), `rebind.test:${allowed.port}`);
});

Deno.test("a redirect to what is not public is refused, and one within is followed", async () => {
  await using home = listener("127.0.0.1", () => new Response("secret"));
  await using allowed = listener("127.0.0.2", (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/home") return new Response(null, { status: 302, headers: { location: home.url } });
    if (pathname === "/file") {
      return new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } });
    }
    if (pathname === "/loop") return new Response(null, { status: 307, headers: { location: "/loop" } });
    if (pathname === "/within") return new Response(null, { status: 303, headers: { location: "/end" } });
    return new Response("end");
  });
  const refused = await refusal(`${allowed.url}/home`);
  assert.equal(refused.code, "EGRESS_REFUSED");
  assert.ok(refused.message.includes(`127.0.0.1:${home.port} is not public: loopback`), refused.message);
  assert.deepEqual(home.seen, []);
  assert.equal((await refusal(`${allowed.url}/file`)).code, "VALIDATION_INVALID_INPUT");
  const answer = await fetcher()(`${allowed.url}/within`, { method: "POST", body: "x" });
  assert.deepEqual([answer.url, text(answer.body)], [`${allowed.url}/end`, "end"]);
  assert.deepEqual(allowed.seen.map(({ method }) => method).slice(-2), ["POST", "GET"]);
  const last = await fetcher()(`${allowed.url}/loop`, { maxRedirects: 2 });
  assert.equal(last.status, 307);
  assert.equal(allowed.seen.filter(({ path }) => path === "/loop").length, 3);
});

Deno.test("credentials for one origin do not follow a redirect to another", async () => {
  await using other = listener("127.0.0.2", () => new Response("ok"));
  await using first = listener("127.0.0.2", () => Response.redirect(`${other.url}/`, 307));
  const headers = { Authorization: "Bearer secret", Cookie: "a=b", "x-note": "kept" };
  await fetcher()(first.url, { method: "POST", body: "whole", headers });
  assert.equal(first.seen[0]?.headers.get("authorization"), "Bearer secret");
  const got = other.seen[0];
  assert.deepEqual([got?.method, got?.body], ["POST", "whole"]);
  assert.deepEqual(["authorization", "cookie", "x-note"].map((name) => got?.headers.get(name) ?? null), [
    null,
    null,
    "kept",
  ]);
});

Deno.test("size and time are bounded, and a failed connection is named", async () => {
  await using server = listener("127.0.0.2", (request) => {
    if (new URL(request.url).pathname !== "/slow") return new Response("x".repeat(2000));
    return new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
  });
  const large = await refusal(server.url, { maxBytes: 1999 });
  assert.deepEqual([large.code, large.status], ["EGRESS_FAILED", 502]);
  assert.match(large.message, /larger than 1999 bytes/);
  assert.equal((await fetcher()(server.url, { maxBytes: 2000 })).body.length, 2000);
  assert.match(
    (await refusal(`${server.url}/slow`, { timeoutMs: 300 })).message,
    /no whole answer within 300 ms/,
  );
  const { port } = server;
  await server[Symbol.asyncDispose]();
  assert.match(
    (await refusal(`http://127.0.0.2:${port}/`)).message,
    /the connection failed \(ECONNREFUSED\)$/,
  );
});

Deno.test("what is no http URL, or holds a password, is not fetched, and no secret of a URL is told", async () => {
  for (
    const url of [
      "ftp://example.com/",
      "file:///etc/passwd",
      "example.com",
      "http://a:hunter2@127.0.0.2/?hunter2",
    ]
  ) {
    const error = await refusal(url);
    assert.equal(error.code, "VALIDATION_INVALID_INPUT", url);
    assert.ok(!error.message.includes("hunter2"), error.message);
  }
  assert.ok(!(await refusal("http://127.0.0.1/?token=hunter2")).message.includes("hunter2"));
});

Deno.test("over TLS the certificate must be the name's, not the address's", async () => {
  const folder = await Deno.makeTempDir({ prefix: "guarded-fetch-" });
  try {
    const [keyFile, certFile] = [`${folder}/key.pem`, `${folder}/cert.pem`];
    const subject = ["-subj", "/CN=api.test", "-addext", "subjectAltName=DNS:api.test"];
    const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject];
    execFileSync("openssl", [...made, "-keyout", keyFile, "-out", certFile], { stdio: "ignore" });
    const [key, cert] = [Deno.readTextFileSync(keyFile), Deno.readTextFileSync(certFile)];
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.2", key, cert, onListen() {} },
      () => new Response("by tls"),
    );
    const resolve = () => Promise.resolve([{ address: "127.0.0.2", family: 4 }]);
    const { port } = server.addr;
    const good = await fetcher({ resolve, certificates: [cert] })(`https://api.test:${port}/`);
    assert.equal(text(good.body), "by tls");
    const other = await refusal(`https://other.test:${port}/`, {}, { resolve, certificates: [cert] });
    assert.match(other.message, /ERR_TLS_CERT_ALTNAME_INVALID/);
    assert.equal((await refusal(`https://api.test:${port}/`, {}, { resolve })).code, "EGRESS_FAILED");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
