// Headers on their way to a handler and back. What only the platform may say is taken from callers and said by it.

import type { FunctionCaller } from "./callers.ts";

const dropped = new Set([
  "host",
  "connection",
  "transfer-encoding",
  "upgrade",
  "keep-alive",
  "te",
  "trailer",
  "proxy-authorization",
  "proxy-connection",
  "content-length",
  "content-encoding",
  "accept-encoding",
  "x-user-id",
  "x-app-id",
  "x-butterbase-as-user",
  "x-butterbase-loop-depth",
]);

const platformPrefixes = ["x-butterbase-caller-", "x-trigger-", "x-webhook-"];

function isForged(name: string): boolean {
  return name.charCodeAt(0) === 0x78 && platformPrefixes.some((prefix) => name.startsWith(prefix));
}

/** Headers that the handler sees, lower-case: the caller's, and the platform's word on who that is. */
export function requestHeaders(
  given: Iterable<[string, string]>,
  appId: string,
  { caller, user }: FunctionCaller,
): [string, string][] {
  const headers: [string, string][] = [];
  for (const entry of given) if (!dropped.has(entry[0]) && !isForged(entry[0])) headers.push(entry);
  headers.push(
    ["accept-encoding", "identity"],
    ["x-app-id", appId],
    ["x-user-id", user?.id ?? ""],
    ["x-butterbase-caller-type", caller.type],
  );
  if (caller.keyId !== null) headers.push(["x-butterbase-caller-key-id", caller.keyId]);
  if (caller.scope !== null) headers.push(["x-butterbase-caller-scope", caller.scope]);
  return headers;
}

const hopByHop = new Set([
  "connection",
  "transfer-encoding",
  "upgrade",
  "keep-alive",
  "trailer",
  "proxy-authenticate",
  "proxy-connection",
  "content-length",
  "content-encoding",
  "x-request-id",
]);

/** Headers of the answer; several `Set-Cookie` stay several. */
export function responseHeaders(given: readonly [string, string][], stream: boolean): [string, string][] {
  const headers = given.filter(([name]) => !hopByHop.has(name));
  const type = headers.find(([name]) => name === "content-type")?.[1];
  if (type === undefined) headers.push(["content-type", "application/octet-stream"]);
  if (!stream || !type?.startsWith("text/event-stream")) return headers;
  return [
    ...headers.filter(([name]) => name !== "cache-control" && name !== "x-accel-buffering"),
    ["cache-control", "no-cache, no-transform"],
    ["x-accel-buffering", "no"],
  ];
}
