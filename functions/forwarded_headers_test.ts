import assert from "node:assert/strict";
import { serviceIdentity, userIdentity } from "../core/principal.ts";
import { anonymousCaller, type FunctionCaller } from "./callers.ts";
import { requestHeaders, responseHeaders } from "./forwarded_headers.ts";

const answered = (given: [string, string][], stream: boolean) => new Headers(responseHeaders(given, stream));

const appId = "app_000000000000";

function seen(given: [string, string][], caller: FunctionCaller = anonymousCaller): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const [name, value] of requestHeaders(given, appId, caller)) {
    headers.set(name, [...headers.get(name) ?? [], value]);
  }
  return headers;
}

Deno.test("a handler sees the caller's own headers, credentials and cookies among them", () => {
  const given: [string, string][] = [
    ["authorization", "Bearer x"],
    ["cookie", "a=1"],
    ["content-type", "text/plain"],
    ["user-agent", "curl"],
    ["x-custom", "1"],
    ["x-forwarded-for", "1.2.3.4"],
    ["origin", "https://a.example.com"],
  ];
  const headers = seen(given);
  for (const [name, value] of given) assert.deepEqual(headers.get(name), [value]);
});

Deno.test("headers of the connection end at the platform", () => {
  const hop = ["host", "connection", "transfer-encoding", "upgrade", "keep-alive", "te", "trailer"];
  const coded = ["content-length", "content-encoding", "proxy-authorization", "proxy-connection"];
  const headers = seen([...hop, ...coded, "accept-encoding"].map((name) => [name, "x"]));
  for (const name of [...hop, ...coded]) assert.equal(headers.get(name), undefined, name);
  assert.deepEqual(headers.get("accept-encoding"), ["identity"]);
});

Deno.test("what only the platform may say cannot be said by a caller", () => {
  const forged = [
    "x-app-id",
    "x-user-id",
    "x-butterbase-as-user",
    "x-butterbase-loop-depth",
    "x-butterbase-caller-type",
    "x-butterbase-caller-key-id",
    "x-butterbase-caller-scope",
    "x-butterbase-caller-source-fn",
    "x-trigger-type",
    "x-webhook-provider",
  ];
  const headers = seen(forged.map((name) => [name, "forged"]));
  for (const values of headers.values()) assert.ok(!values.includes("forged"));
  assert.deepEqual(headers.get("x-app-id"), [appId]);
  assert.deepEqual(headers.get("x-user-id"), [""]);
  assert.deepEqual(headers.get("x-butterbase-caller-type"), ["anonymous"]);
  assert.equal(headers.get("x-butterbase-caller-key-id"), undefined);
  assert.equal(headers.get("x-butterbase-caller-scope"), undefined);
});

Deno.test("the platform says who the caller is", () => {
  const caller = { type: "service_key" as const, keyId: "key-1", scope: `app:${appId}`, userId: "u1" };
  const headers = seen([], {
    caller,
    user: { id: "u1", email: null, claims: {} },
    identity: userIdentity("u1"),
  });
  assert.deepEqual(headers.get("x-user-id"), ["u1"]);
  assert.deepEqual(headers.get("x-butterbase-caller-type"), ["service_key"]);
  assert.deepEqual(headers.get("x-butterbase-caller-key-id"), ["key-1"]);
  assert.deepEqual(headers.get("x-butterbase-caller-scope"), [`app:${appId}`]);
  const service = { caller: { ...caller, userId: null }, user: null, identity: serviceIdentity };
  assert.deepEqual(seen([], service).get("x-user-id"), [""]);
});

Deno.test("several Set-Cookie of an answer stay several", () => {
  const headers = answered([["set-cookie", "a=1"], ["set-cookie", "b=2; Path=/"]], false);
  assert.deepEqual(headers.getSetCookie(), ["a=1", "b=2; Path=/"]);
});

Deno.test("an answer keeps its headers but those of the connection and the request id, which are the platform's", () => {
  const hop = [
    "connection",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "upgrade",
    "x-request-id",
  ];
  const headers = answered(
    [...hop.map((name): [string, string] => [name, "x"]), ["etag", '"1"']],
    false,
  );
  assert.deepEqual([...headers.keys()].sort(), ["content-type", "etag"]);
  assert.equal(headers.get("content-type"), "application/octet-stream");
});

Deno.test("an event stream is told not to be buffered or cached on its way, and no other answer is", () => {
  const type: [string, string] = ["content-type", "text/event-stream; charset=utf-8"];
  const stream = answered([type], true);
  assert.equal(stream.get("cache-control"), "no-cache, no-transform");
  assert.equal(stream.get("x-accel-buffering"), "no");
  assert.equal(answered([type], false).get("cache-control"), null);
  assert.equal(answered([["content-type", "text/plain"]], true).get("cache-control"), null);
});
