// Whether the server lives, and whether it can serve. Public.

import { Hono } from "hono";
import type { Env } from "./env.ts";

export interface HealthParts {
  /** Whether the node takes new work: true after the start, false once it drains. */
  ready: () => boolean;
  controlDb: () => Promise<boolean>;
}

export function healthRoutes({ ready, controlDb }: HealthParts): Hono<Env> {
  const routes = new Hono<Env>();
  const service = "control-api";
  routes.get("/health", (c) => c.json({ status: "ok", service }));
  routes.get("/health/ready", async (c) => {
    const database = await controlDb();
    const checks = database ? { controlDb: "ok", dataPlaneDb: "ok" } : {};
    if (database && ready()) return c.json({ status: "ready", service, checks });
    return c.json({ status: "not_ready", service, checks }, 503);
  });
  return routes;
}
