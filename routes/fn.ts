// ANY /v1/{app}/fn/{name}[/…]: the public way to a function. The gates stand in the order of the contract: app, size,
// pause, trigger, caller. Bodies are bytes both ways and flow both ways.

import { type Context, Hono } from "hono";
import { appNotFound } from "../apps/access.ts";
import type { AppRegistry } from "../apps/app_registry.ts";
import type { InvocationResponse, TriggerContext } from "../core/invocation.ts";
import { admit, type CallerParts, noCredential, readCredential } from "../functions/callers.ts";
import { requestHeaders, responseHeaders } from "../functions/forwarded_headers.ts";
import type { FunctionRegistry } from "../functions/function_registry.ts";
import { functionNotFound } from "../functions/functions.ts";
import { checkHttpRequest } from "../functions/http_trigger.ts";
import { type Invoker, pausedError } from "../functions/invoke.ts";
import { tooLarge } from "./body.ts";
import { type ClientIp, clientIp } from "./client_ip.ts";
import type { Env } from "./env.ts";
import { requestIdOf } from "./middleware/request_id.ts";
import { boundedBody } from "./bounded_body.ts";

export interface FnRoutesParts extends CallerParts {
  apps: AppRegistry;
  functions: FunctionRegistry;
  invoker: Invoker;
  apiBase: () => string;
  ip: ClientIp;
}

export const fnBodyBytes = 10 * 1024 * 1024;

export function fnRoutes(parts: FnRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();
  const handle = (c: Context<Env>) => invokePublic(c, parts);
  routes.all("/v1/:app_id/fn/:name", handle);
  routes.all("/v1/:app_id/fn/:name/*", handle);
  return routes;
}

async function invokePublic(c: Context<Env>, parts: FnRoutesParts): Promise<Response> {
  const requestId = requestIdOf(c);
  const { appId, name, subPath, search } = splitPath(c.req.url);
  const found = parts.apps.find(appId);
  const app = found instanceof Promise ? await found : found;
  if (app === null) throw appNotFound(appId);

  const declared = c.req.header("content-length");
  if (declared !== undefined && Number(declared) > fnBodyBytes) throw tooLarge(Number(declared), fnBodyBytes);
  if (app.paused !== null) throw pausedError(app);

  const looked = parts.functions.find(app.id, name);
  const fn = looked instanceof Promise ? await looked : looked;
  if (fn === null || fn.http === null) throw functionNotFound(app, name);
  checkHttpRequest(fn.http, name, c.req.method, subPath);

  const { raw } = c.req;
  const authorization = raw.headers.get("authorization");
  const credential = authorization === null ? noCredential : await readCredential(parts, app, authorization);
  const caller = admit(credential, fn, raw.headers.get("x-butterbase-as-user"));

  const path = `/v1/${app.id}/fn/${fn.name}${subPath}`;
  const body = raw.body === null ? null : await boundedBody(raw, fnBodyBytes);
  const trigger: TriggerContext = {
    type: "http",
    id: null,
    attempt: 1,
    time: new Date().toISOString(),
    config: {},
  };
  const answer = await parts.invoker.invoke({
    id: requestId,
    app,
    fn,
    caller,
    request: {
      method: raw.method,
      url: `${parts.apiBase()}${path}${search}`,
      headers: requestHeaders(raw.headers, app.id, caller),
      body,
    },
    trigger,
    path,
    ip: clientIp(c, parts.ip),
    signal: () => raw.signal,
    depth: 0,
    whenPaused: "refuse",
  });
  const headers = responseHeaders(answer.headers, answer.body instanceof ReadableStream);
  headers.push(["x-request-id", requestId]);
  if (raw.method === "HEAD") return await headOf(answer, headers);
  return new Response(answer.body, { status: answer.status, headers });
}

/** What HEAD is answered with: nobody reads a body, so one that flows is ended here. */
async function headOf({ status, body }: InvocationResponse, headers: [string, string][]): Promise<Response> {
  if (body instanceof ReadableStream) await body.cancel();
  else if (body !== null) headers.push(["content-length", String(body.length)]);
  return new Response(null, { status, headers });
}

/** The path as it was sent: the name is decoded once, and what it decodes to is never split again. */
function splitPath(url: string): { appId: string; name: string; subPath: string; search: string } {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const query = url.indexOf("?", start);
  const path = query < 0 ? url.slice(start) : url.slice(start, query);
  const [, v1 = "", appId = "", fn = "", name = ""] = path.split("/", 5);
  // Any segment may have been sent percent-encoded.
  const subPath = path.slice(v1.length + appId.length + fn.length + name.length + 4);
  return { appId, name: decoded(name), subPath, search: query < 0 ? "" : url.slice(query) };
}

function decoded(name: string): string {
  if (!name.includes("%")) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
