// Apps: made, listed, configured, paused, deleted.

import { Hono } from "hono";
import { type Apps, parseAllowedOrigins, parseAppDraft } from "../apps/apps.ts";
import { appConfig, appStatus, createdApp, listedApp, nextActions } from "../apps/app_views.ts";
import { parseEgressChange } from "../apps/egress.ts";
import { parseEnvChange } from "../apps/env.ts";
import { parsePause } from "../apps/pause.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface AppRoutesParts {
  auth: PlatformAuth;
  apps: Apps;
  apiBase: () => string;
  /** Names of the app's functions, which a change of its env reaches. */
  functionNames(appId: string): Promise<string[]>;
}

export function appRoutes({ auth, apps, apiBase, functionNames }: AppRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();

  routes.get("/v1/regions", (c) => c.json({ regions: apps.regions }));

  routes.post("/init", auth.account, async (c) => {
    const draft = parseAppDraft(await readJson(c), apps.regions);
    const { app, made } = await apps.create(c.var.principal.accountId, draft);
    if (!made) return c.json(createdApp(app, apiBase()));
    return c.json({ ...createdApp(app, apiBase()), _meta: nextActions }, 201);
  });

  routes.get("/apps", auth.signedIn, async (c) => {
    const rows = await apps.list(c.var.principal);
    return c.json({ apps: rows.map(listedApp) });
  });

  routes.get("/apps/:app_id/status", auth.app, (c) => c.json(appStatus(c.var.app.row)));

  routes.delete("/apps/:app_id", auth.app, async (c) => {
    const { app } = c.var;
    await apps.delete(app);
    return c.json({ message: `The app "${app.name}" is deleted`, app_id: app.id, db_name: app.databaseName });
  });

  routes.get("/v1/:app_id/config", auth.app, (c) => c.json(appConfig(c.var.app.row)));

  routes.patch("/v1/:app_id/config/cors", auth.readyApp, async (c) => {
    const origins = parseAllowedOrigins(await readJson(c));
    const row = await apps.change(c.var.app, { allowed_origins: origins });
    return c.json({
      message: "The allowed origins are set",
      app_id: row.id,
      allowed_origins: row.allowed_origins,
    });
  });

  routes.patch("/v1/:app_id/config/egress", auth.readyApp, async (c) => {
    const row = await apps.change(c.var.app, parseEgressChange(await readJson(c)));
    return c.json({
      message: "The hosts that the app's functions may reach are set",
      app_id: row.id,
      egress: { allow: row.egress_allow, deny: row.egress_deny },
    });
  });

  routes.patch("/v1/:app_id/config/pause", auth.readyApp, async (c) => {
    const { paused, reason } = parsePause(await readJson(c));
    const row = await apps.change(c.var.app, {
      paused_at: paused ? new Date() : null,
      paused_reason: paused ? reason : null,
    });
    return c.json({
      message: paused ? "The app is paused" : "The app is running",
      app_id: row.id,
      paused: row.paused_at !== null,
      paused_at: row.paused_at?.toISOString() ?? null,
      paused_reason: row.paused_reason,
    });
  });

  routes.get("/v1/:app_id/env", auth.readyApp, (c) => {
    const { env, envUpdatedAt } = c.var.app;
    return c.json({ keys: Object.keys(env).sort(), updatedAt: envUpdatedAt?.toISOString() ?? null });
  });

  routes.patch("/v1/:app_id/env", auth.readyApp, async (c) => {
    const change = parseEnvChange(readEnvVars(await readJson(c)));
    const { keys } = await apps.changeEnv(c.var.app, change);
    const functions = await functionNames(c.var.app.id);
    return c.json({
      message: "The app's environment is set",
      updatedKeys: keys,
      invalidated: { functions, count: functions.length, durable_objects_redeployed: false },
    });
  });

  return routes;
}

/** `envVars` of a body, whatever that body is. */
export function readEnvVars(body: unknown): unknown {
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>)["envVars"] : undefined;
}
