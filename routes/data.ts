// REST over an app's tables: /v1/{app}/{table} and /v1/{app}/{table}/{id}. Paths that begin with one of the platform's own
// words are never a table's. Rows go to the client as PostgreSQL sent them.

import { type Context, Hono } from "hono";
import { appNotFound } from "../apps/access.ts";
import type { AppRegistry } from "../apps/app_registry.ts";
import type { Apps } from "../apps/apps.ts";
import { AppError } from "../core/errors.ts";
import type { RequestId } from "../core/ids.ts";
import { parsePreferences, type Rest, type RestAnswer, type RestRequest } from "../data/rest/mod.ts";
import { isPlatformSegment } from "../data/schema/mod.ts";
import type { CallerParts } from "../functions/callers.ts";
import { pausedError } from "../functions/invoke.ts";
import { managementBodyBytes, parseJson, readRequest } from "./body.ts";
import { dataIdentity } from "./data_identity.ts";
import type { Env } from "./env.ts";
import type { AnswerError } from "./error_response.ts";
import { requestIdOf } from "./middleware/request_id.ts";
import { decodeSegment } from "./path_segment.ts";

export interface DataParts extends CallerParts {
  registry: AppRegistry;
  apps: Apps;
  rest: Rest;
  answerError: AnswerError;
}

/** Answers a request for rows; what goes wrong is answered too, never thrown. */
export type Data = (request: Request, requestId: RequestId) => Promise<Response>;

const pathForm = /^https?:\/\/[^/]*\/v1\/([^/?#]+)\/([^/?#]+)(?:\/([^/?#]+))?(?:\?([^#]*))?$/;

/** Whether the URL can only be that of a table or a row. What is percent-encoded needs a closer look. */
export function isDataUrl(url: string): boolean {
  const segment = pathForm.exec(url)?.[2];
  return segment !== undefined && !segment.includes("%") && !isPlatformSegment(segment);
}

export function createData(parts: DataParts): Data {
  return async (request, requestId) => {
    try {
      return await answer(parts, request, requestId);
    } catch (error) {
      return parts.answerError(error, request, requestId);
    }
  };
}

export function dataRoutes(data: Data): Hono<Env> {
  const routes = new Hono<Env>();
  const handle = (c: Context<Env>) => data(c.req.raw, requestIdOf(c));
  routes.on(["GET", "POST", "PATCH", "DELETE"], "/v1/:app_id/:table", handle);
  routes.on(["GET", "PATCH", "DELETE"], "/v1/:app_id/:table/:id", handle);
  return routes;
}

async function answer(parts: DataParts, request: Request, requestId: RequestId): Promise<Response> {
  const { method, url, headers } = request;
  const [, appId = "", tableText = "", idText, search = ""] = pathForm.exec(url) ?? [];
  const table = decodeSegment(tableText);
  if (isPlatformSegment(table)) throw noSuchRoute(method, url);
  const app = await parts.registry.find(appId);
  if (app === null) throw appNotFound(appId);
  const ready = await parts.apps.ready(app);
  if (ready.paused !== null) throw pausedError(ready);
  const identity = await dataIdentity(parts, ready, headers);

  const params = new URLSearchParams(search);
  const prefer = parsePreferences(headers.get("prefer"));
  const asked: RestRequest = { app: ready, identity, table, params, prefer };
  const { status, body, more = {} } = idText === undefined
    ? await ofCollection(parts.rest, asked, request)
    : await ofRow(parts.rest, asked, decodeSegment(idText), request);
  return new Response(method === "HEAD" ? null : body, {
    status,
    headers: {
      ...(body === null ? {} : { "content-type": "application/json" }),
      ...more,
      "x-request-id": requestId,
    },
  });
}

interface Outcome {
  status: number;
  body: Uint8Array<ArrayBuffer> | string | null;
  more?: Record<string, string>;
}

async function ofCollection(rest: Rest, asked: RestRequest, request: Request): Promise<Outcome> {
  switch (request.method) {
    case "GET":
    case "HEAD": {
      const listed = await rest.list(asked);
      return { status: 200, body: listed.json, more: contentRange(listed, asked.params) };
    }
    case "POST": {
      const body = await readBody(request);
      if (!Array.isArray(body)) return { status: 201, body: firstRow(await rest.insert(asked, [body])) };
      if (body.length === 0) return { status: 201, body: "[]" };
      return { status: 201, body: (await rest.insert(asked, body)).json };
    }
    case "PATCH": {
      const { json } = await rest.updateWhere(asked, await readBody(request));
      return { status: json === null ? 204 : 200, body: json };
    }
    case "DELETE": {
      const { json, changed } = await rest.deleteWhere(asked);
      if (asked.prefer.return === "minimal") return { status: 204, body: null };
      return { status: 200, body: json ?? JSON.stringify({ deleted: changed }) };
    }
    default:
      throw noSuchRoute(request.method, request.url);
  }
}

async function ofRow(rest: Rest, asked: RestRequest, id: string, request: Request): Promise<Outcome> {
  switch (request.method) {
    case "GET":
    case "HEAD":
      return { status: 200, body: firstRow(await rest.read(asked, id)) };
    case "PATCH": {
      const row = firstRow(await rest.update(asked, id, await readBody(request)));
      return { status: row === null ? 204 : 200, body: row };
    }
    case "DELETE":
      await rest.delete(asked, id);
      if (asked.prefer.return === "minimal") return { status: 204, body: null };
      return { status: 200, body: '{"deleted":true}' };
    default:
      throw noSuchRoute(request.method, request.url);
  }
}

async function readBody(request: Request): Promise<unknown> {
  const bytes = await readRequest(request, managementBodyBytes);
  if (bytes.length === 0) throw new AppError("REQUEST_ERROR", "The request has no body: send a JSON object");
  return parseJson(bytes, { numbers: "exact" });
}

/** The row inside the array of one; `null` of an empty array is an upsert that left the row as it was. */
function firstRow({ json }: RestAnswer): Outcome["body"] {
  if (json === null) return null;
  return json.length > 2 ? json.subarray(1, -1) : "null";
}

/** `0-24/3573`, as RFC 9110 writes it. */
function contentRange({ counted }: RestAnswer, params: URLSearchParams): Record<string, string> {
  if (counted === null) return {};
  const offset = Math.max(0, Number.parseInt(params.get("offset") ?? "0", 10) || 0);
  const range = counted.rows === 0 ? "*" : `${offset}-${offset + counted.rows - 1}`;
  return { "content-range": `${range}/${counted.total}` };
}

function noSuchRoute(method: string, url: string): AppError {
  return new AppError("RESOURCE_NOT_FOUND", `There is no ${method} ${new URL(url).pathname.slice(0, 200)}`, {
    remediation: "Check the method and the path.",
  });
}
