// How an app's users sign in: PATCH config/access-mode, config/jwt and config/auth-hooks, and the signing keys.

import { Hono } from "hono";
import type { Apps } from "../apps/apps.ts";
import { parseAccessMode, parseAuthHook, parseJwtSettings } from "../apps/auth_settings.ts";
import type { EndUserTokens, SigningKey } from "../auth/end_user_tokens.ts";
import { longestSessionDays, tokenSeconds } from "../auth/token_lifetimes.ts";
import { AppError } from "../core/errors.ts";
import { readBytes, readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface AuthConfigParts {
  auth: PlatformAuth;
  apps: Apps;
  tokens: EndUserTokens;
  functionNames(appId: string): Promise<string[]>;
}

export function authConfigRoutes({ auth, apps, tokens, functionNames }: AuthConfigParts): Hono<Env> {
  const routes = new Hono<Env>();

  routes.patch("/v1/:app_id/config/access-mode", auth.readyApp, async (c) => {
    const row = await apps.change(c.var.app, { access_mode: parseAccessMode(await readJson(c)) });
    return c.json({ message: "The access mode is set", app_id: row.id, access_mode: row.access_mode });
  });

  routes.patch("/v1/:app_id/config/jwt", auth.readyApp, async (c) => {
    const bounds = { ttl: (text: string) => tokenSeconds(text) !== null, days: longestSessionDays };
    const change = parseJwtSettings(await readJson(c), bounds);
    const row = Object.keys(change).length === 0 ? c.var.app.row : await apps.change(c.var.app, change);
    return c.json({
      message: "The lifetimes of tokens are set",
      app_id: row.id,
      jwt_config: { accessTokenTtl: row.access_token_ttl, refreshTokenTtlDays: row.refresh_token_ttl_days },
    });
  });

  routes.patch("/v1/:app_id/config/auth-hooks", auth.readyApp, async (c) => {
    const name = parseAuthHook(await readJson(c));
    if (name !== null && !(await functionNames(c.var.app.id)).includes(name)) {
      throw new AppError(
        "VALIDATION_INVALID_SCHEMA",
        `Cannot set the post-auth hook: the app has no function "${name}"`,
        {
          details: [{ path: ["post_auth_function"], message: "must be the name of a deployed function" }],
          remediation: "Deploy the function first, or send null to call none.",
        },
      );
    }
    const row = await apps.change(c.var.app, { auth_hook_function: name });
    return c.json({
      message: name === null ? "No function is called after sign-in" : "The post-auth hook is set",
      app_id: row.id,
      auth_hook_function: row.auth_hook_function,
    });
  });

  routes.get("/v1/:app_id/admin/auth/signing-keys", auth.readyApp, async (c) => {
    return c.json({ keys: (await tokens.keys(c.var.app.id)).map(shown) });
  });

  routes.post("/v1/:app_id/admin/auth/signing-keys/rotate", auth.readyApp, async (c) => {
    const bytes = await readBytes(c, 1024);
    const former = parseFormer(bytes);
    return c.json({
      message: former === "keep"
        ? "A new key signs; tokens of the former one are good until they expire"
        : "A new key signs; tokens of former ones are no longer good",
      keys: (await tokens.rotate(c.var.app.id, { former })).map(shown),
    });
  });

  return routes;
}

function shown({ kid, signs, createdAt, verifiesUntil }: SigningKey) {
  return {
    kid,
    signs,
    created_at: createdAt.toISOString(),
    verifies_until: verifiesUntil?.toISOString() ?? null,
  };
}

function parseFormer(bytes: Uint8Array): "keep" | "end" {
  if (bytes.length === 0) return "keep";
  try {
    const given = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const { former = "keep" } = given;
    if (!Array.isArray(given) && (former === "keep" || former === "end")) return former;
  } catch {
    // Said below.
  }
  throw new AppError(
    "VALIDATION_INVALID_SCHEMA",
    'Cannot rotate the signing key: the body must be {"former": "keep"} or {"former": "end"}, or empty',
  );
}
