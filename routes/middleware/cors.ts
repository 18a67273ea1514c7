// Cross-origin requests: an app's routes are open to the origins that the app names, and to no others. Control routes
// answer no browser of a foreign origin.

import type { Context, MiddlewareHandler, Next } from "hono";
import type { AppRegistry } from "../../apps/app_registry.ts";
import type { Env } from "../env.ts";

const allowedMethods = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const allowedHeaders =
  "Content-Type, Authorization, X-Signup-Source, X-Signup-Referrer, X-Organization-Id, X-Butterbase-As-User, Prefer";
const exposedHeaders = "x-request-id, retry-after, content-range";

export function cors(registry: AppRegistry): MiddlewareHandler<Env> {
  return (c, next) => {
    const origin = c.req.raw.headers.get("origin");
    return origin === null ? next() : crossOrigin(c, next, { registry, origin });
  };
}

async function crossOrigin(
  c: Context<Env>,
  next: Next,
  { registry, origin }: { registry: AppRegistry; origin: string },
): Promise<Response | void> {
  const [, area, appId = ""] = c.req.path.split("/", 3);
  const app = area === "v1" || area === "auth" || area === "storage" ? await registry.find(appId) : null;
  const allowed = app?.allowedOrigins.includes(origin) ?? false;
  if (
    allowed && c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined
  ) {
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": allowedMethods,
        "access-control-allow-headers": allowedHeaders,
        "access-control-max-age": "600",
        vary: "Origin",
        "x-request-id": c.var.requestId,
      },
    });
  }
  await next();
  c.res.headers.append("vary", "Origin");
  // What a function says about its own answer stands.
  if (!allowed || c.res.headers.has("access-control-allow-origin")) return;
  c.res.headers.set("access-control-allow-origin", origin);
  c.res.headers.set("access-control-allow-credentials", "true");
  c.res.headers.set("access-control-expose-headers", exposedHeaders);
}
