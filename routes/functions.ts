// Functions as developers manage them: deploy, list, read, delete, env, settings, test, logs.

import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { parseEnvChange } from "../apps/env.ts";
import { AppError } from "../core/errors.ts";
import type { TriggerContext } from "../core/invocation.ts";
import { platformCaller } from "../functions/callers.ts";
import { requestHeaders, responseHeaders } from "../functions/forwarded_headers.ts";
import { functionLimits, parseFunctionDraft } from "../functions/function_draft.ts";
import { functionUrl } from "../functions/function_views.ts";
import type { Functions } from "../functions/functions.ts";
import type { Invoker } from "../functions/invoke.ts";
import { parseInstant, parseLogQuery } from "../functions/log_query.ts";
import { readEnvVars } from "./apps.ts";
import { managementBodyBytes, readBytes, readJson } from "./body.ts";
import { type ClientIp, clientIp } from "./client_ip.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface FunctionRoutesParts {
  auth: PlatformAuth;
  functions: Functions;
  invoker: Invoker;
  apiBase: () => string;
  ip: ClientIp;
  /** Whether the node takes work: false once it drains, which open log streams would hold up for ever. */
  serving: () => boolean;
}

/** Code at its limit fits with every character of it escaped, and the other fields. */
const deployBodyBytes = 2 * functionLimits.codeBytes + managementBodyBytes;
const testBodyBytes = 10 * 1024 * 1024;
const invalidated = { success: true, attempts: 1 };

export function functionRoutes(parts: FunctionRoutesParts): Hono<Env> {
  const { auth, functions, invoker, apiBase, ip, serving } = parts;
  const routes = new Hono<Env>();

  routes.post("/v1/:app_id/functions", auth.readyApp, async (c) => {
    const draft = parseFunctionDraft(await readJson(c, deployBodyBytes));
    const { fn, version, triggers, warnings } = await functions.deploy(c.var.app, draft, c.var.principal);
    return c.json({
      id: fn.id,
      name: fn.name,
      url: functionUrl(apiBase(), fn, triggers),
      triggers: triggers.map(({ type, enabled }) => ({ type, enabled })),
      deployedAt: fn.deployed_at.toISOString(),
      version: version.number,
      cacheInvalidation: invalidated,
      ...(warnings.length === 0 ? {} : { warnings }),
    });
  });

  routes.get("/v1/:app_id/functions", auth.readyApp, async (c) => {
    return c.json({ functions: await functions.list(c.var.app) });
  });

  routes.get("/v1/:app_id/functions/:name", auth.readyApp, async (c) => {
    return c.json(await functions.get(c.var.app, c.req.param("name")));
  });

  routes.delete("/v1/:app_id/functions/:name", auth.readyApp, async (c) => {
    await functions.delete(c.var.app, c.req.param("name"));
    return c.json({ success: true });
  });

  routes.patch("/v1/:app_id/functions/:name/env", auth.readyApp, async (c) => {
    const change = parseEnvChange(readEnvVars(await readJson(c)));
    const { fn, keys } = await functions.changeEnv(c.var.app, c.req.param("name"), change);
    return c.json({
      message: "The function's environment is set",
      function: { id: fn.id, name: fn.name, updated_at: fn.updated_at.toISOString() },
      updatedKeys: keys,
      cache_invalidation: invalidated,
    });
  });

  routes.patch("/v1/:app_id/functions/:name/settings", auth.readyApp, async (c) => {
    const settings = parseSettings(await readJson(c));
    const fn = await functions.changeSettings(c.var.app, c.req.param("name"), settings);
    return c.json({
      message: "The function's settings are set",
      function: {
        id: fn.id,
        name: fn.name,
        allow_service_key_impersonation: fn.allow_service_key_impersonation,
        updated_at: fn.updated_at.toISOString(),
      },
      cache_invalidation: invalidated,
    });
  });

  routes.post("/v1/:app_id/functions/:name/invoke", auth.readyApp, async (c) => {
    const { app, principal, requestId } = c.var;
    const fn = await functions.live(app, c.req.param("name"));
    const bytes = await readBytes(c, testBodyBytes);
    const caller = platformCaller(principal, fn, c.req.header("x-butterbase-as-user")?.trim() ?? "");
    const body = bytes.length === 0 ? new TextEncoder().encode("{}") : checkJson(bytes);
    const path = `/v1/${app.id}/fn/${fn.name}`;
    const trigger: TriggerContext = {
      type: "test",
      id: null,
      attempt: 1,
      time: new Date().toISOString(),
      config: {},
    };
    const answer = await invoker.invoke({
      id: requestId,
      app,
      fn,
      caller,
      request: {
        method: "POST",
        url: `${apiBase()}${path}`,
        headers: requestHeaders([["content-type", "application/json"]], app.id, caller),
        body,
      },
      trigger,
      path,
      ip: clientIp(c, ip),
      signal: () => c.req.raw.signal,
      depth: 0,
      whenPaused: "run",
    });
    const stream = answer.body instanceof ReadableStream;
    return new Response(answer.body, {
      status: answer.status,
      headers: responseHeaders(answer.headers, stream),
    });
  });

  routes.get("/v1/:app_id/functions/:name/logs", auth.readyApp, async (c) => {
    return c.json(await functions.logs(c.var.app, c.req.param("name"), parseLogQuery(c.req.query())));
  });

  routes.get("/v1/:app_id/functions/:name/logs/stream", auth.readyApp, async (c) => {
    const { errorsOnly, since } = parseLogQuery(c.req.query());
    // A function that does not exist is told before the stream begins.
    const next = await functions.tail(c.var.app, c.req.param("name"), {
      since: parseInstant("Last-Event-ID", c.req.header("last-event-id")) ?? since,
      errorsOnly,
    });
    return streamSSE(c, async (stream) => {
      let silentMs = 0;
      while (!stream.aborted && serving() && await auth.holds(c)) {
        const lines = await next();
        if (lines === null) return;
        for (const line of lines) {
          await stream.writeSSE({ id: line.timestamp, event: "log", data: JSON.stringify(line) });
        }
        silentMs = lines.length > 0 ? 0 : silentMs + 500;
        if (silentMs >= 15_000) {
          await stream.write(": keepalive\n\n");
          silentMs = 0;
        }
        if (lines.length < 100) await stream.sleep(500);
      }
    });
  });

  return routes;
}

function parseSettings(body: unknown): { allow_service_key_impersonation: boolean } {
  const value = (body as Record<string, unknown> | null)?.["allow_service_key_impersonation"];
  if (typeof value === "boolean") return { allow_service_key_impersonation: value };
  throw new AppError(
    "VALIDATION_INVALID_SCHEMA",
    "Cannot set the function's settings: allow_service_key_impersonation must be true or false",
    {
      details: { path: "allow_service_key_impersonation" },
    },
  );
}

function checkJson(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return bytes;
  } catch (error) {
    throw new AppError("REQUEST_ERROR", `The body is not valid JSON: ${(error as Error).message}`);
  }
}
