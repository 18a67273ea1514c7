// Platform keys over HTTP: POST, GET and DELETE /api-keys. A key never makes one that reaches further than itself.

import { Hono } from "hono";
import type { AppRegistry } from "../apps/app_registry.ts";
import { findManagedApp } from "../apps/access.ts";
import { type NewKeyDraft, parseNewKey } from "../auth/new_key.ts";
import type { PlatformKeys } from "../auth/platform_keys.ts";
import { AppError } from "../core/errors.ts";
import type { KeyReach, PlatformPrincipal } from "../core/principal.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface KeyRoutesParts {
  auth: PlatformAuth;
  keys: PlatformKeys;
  registry: AppRegistry;
}

export function keyRoutes({ auth, keys, registry }: KeyRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();

  async function reachOf(draft: NewKeyDraft, principal: PlatformPrincipal): Promise<KeyReach> {
    if (draft.targetAppId === null) {
      if (principal.reach.kind === "account") return { kind: "account" };
      throw new AppError(
        "AUTH_INSUFFICIENT_PERMISSIONS",
        "Cannot create an account key: your key reaches one app only",
        {
          remediation: "Use an account key, or create a key with key_scope `app` for that app.",
        },
      );
    }
    const app = await findManagedApp(registry, draft.targetAppId, principal);
    if (app.ownerId !== principal.accountId) {
      throw new AppError(
        "AUTH_INSUFFICIENT_PERMISSIONS",
        `Cannot create a key for the app "${app.id}": it belongs to another account`,
        {
          remediation: "Have the app's owner create the key; an account key of the operator reaches the app.",
        },
      );
    }
    return { kind: "app", appId: app.id };
  }

  routes.post("/api-keys", auth.signedIn, async (c) => {
    const draft = parseNewKey(await readJson(c));
    const reach = await reachOf(draft, c.var.principal);
    const { additionalScopes, name } = draft;
    return c.json(await keys.create(c.var.principal.accountId, { name, reach, additionalScopes }), 201);
  });

  routes.get("/api-keys", auth.account, async (c) => {
    const rows = await keys.list(c.var.principal.accountId);
    return c.json({
      keys: rows.map(({ account_id: _, ...row }) => ({
        ...row,
        scope: "app",
        substrate_organization_id: null,
      })),
    });
  });

  routes.delete("/api-keys/:key_id", auth.account, async (c) => {
    await keys.revoke(c.var.principal.accountId, c.req.param("key_id"));
    return c.json({ revoked: true });
  });

  return routes;
}
