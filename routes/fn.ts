// ANY /v1/{app}/fn/{name}[/…]: the public way to a function. The gates stand in the order of the contract: app, size,
// pause, trigger, caller. Bodies are bytes both ways and flow both ways.

import { type Context, Hono } from "hono";
import { appNotFound } from "../apps/access.ts";
import type { AppRegistry } from "../apps/app_registry.ts";
import type { RequestId } from "../core/ids.ts";
import { isoTime } from "../core/iso_time.ts";
import { type InvocationResponse, releaseBody, type TriggerContext } from "../core/invocation.ts";
import { admit, type CallerParts, noCredential, readCredential } from "../functions/callers.ts";
import { requestHeaders, responseHeaders } from "../functions/forwarded_headers.ts";
import type { FunctionRegistry } from "../functions/function_registry.ts";
import { functionNotFound } from "../functions/functions.ts";
import { checkHttpRequest } from "../functions/http_trigger.ts";
import { type Invoker, pausedError } from "../functions/invoke.ts";
import { tooLarge } from "./body.ts";
import { type ClientIp, forwardedIp, peerIp } from "./client_ip.ts";
import type { Env } from "./env.ts";
import type { AnswerError } from "./error_response.ts";
import { requestIdOf } from "./middleware/request_id.ts";
import { boundedBody } from "./bounded_body.ts";
import { decodeSegment } from "./path_segment.ts";

export interface FnParts extends CallerParts {
  apps: AppRegistry;
  functions: FunctionRegistry;
  invoker: Invoker;
  apiBase: () => string;
  ip: ClientIp;
  answerError: AnswerError;
}

/** Answers a call; what goes wrong is answered too, never thrown. */
export type Fn = (request: Request, peer: Env["Bindings"], requestId: RequestId) => Promise<Response>;

export const fnBodyBytes = 10 * 1024 * 1024;

export function createFn(parts: FnParts): Fn {
  return async (request, peer, requestId) => {
    try {
      return await invokePublic(parts, request, peer, requestId);
    } catch (error) {
      return parts.answerError(error, request, requestId);
    }
  };
}

export function fnRoutes(fn: Fn): Hono<Env> {
  const routes = new Hono<Env>();
  const handle = (c: Context<Env>) => fn(c.req.raw, c.env, requestIdOf(c));
  routes.all("/v1/:app_id/fn/:name", handle);
  routes.all("/v1/:app_id/fn/:name/*", handle);
  return routes;
}

async function invokePublic(
  parts: FnParts,
  request: Request,
  peer: Env["Bindings"],
  requestId: RequestId,
): Promise<Response> {
  const { method } = request;
  const { appId, name, subPath, search } = splitPath(request.url);
  const found = parts.apps.find(appId);
  const app = found instanceof Promise ? await found : found;
  if (app === null) throw appNotFound(appId);

  const headers = [...request.headers];
  const declared = headerOf(headers, "content-length");
  if (declared !== null && Number(declared) > fnBodyBytes) throw tooLarge(Number(declared), fnBodyBytes);
  if (app.paused !== null) throw pausedError(app);

  const looked = parts.functions.find(app.id, name);
  const fn = looked instanceof Promise ? await looked : looked;
  if (fn === null || fn.http === null) throw functionNotFound(app, name);
  checkHttpRequest(fn.http, name, method, subPath);

  const authorization = headerOf(headers, "authorization");
  const credential = authorization === null ? noCredential : await readCredential(parts, app, authorization);
  const caller = admit(credential, fn, headerOf(headers, "x-butterbase-as-user"));

  const path = `/v1/${app.id}/fn/${fn.name}${subPath}`;
  const body = method === "GET" || method === "HEAD" ? null : await boundedBody(request, fnBodyBytes);
  const trigger: TriggerContext = {
    type: "http",
    id: null,
    attempt: 1,
    time: isoTime(Date.now()),
    config: {},
  };
  const answer = await parts.invoker.invoke({
    id: requestId,
    app,
    fn,
    caller,
    request: {
      method,
      url: `${parts.apiBase()}${path}${search}`,
      headers: requestHeaders(headers, app.id, caller),
      body,
    },
    trigger,
    path,
    ip: parts.ip === "peer"
      ? peerIp(peer)
      : forwardedIp(headerOf(headers, "x-forwarded-for")) ?? peerIp(peer),
    signal: () => request.signal,
    depth: 0,
    whenPaused: "refuse",
  });
  const answered = responseHeaders(answer.headers, answer.body instanceof ReadableStream);
  answered.push(["x-request-id", requestId]);
  if (method === "HEAD") return await headOf(answer, answered);
  const response = new Response(answer.body, { status: answer.status, headers: answered });
  // The response has a copy of its own.
  releaseBody(answer.body);
  return response;
}

/** `Headers` joins those of the same name, so the first is all. */
function headerOf(headers: readonly [string, string][], name: string): string | null {
  for (const header of headers) if (header[0] === name) return header[1];
  return null;
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
  return { appId, name: decodeSegment(name), subPath, search: query < 0 ? "" : url.slice(query) };
}
