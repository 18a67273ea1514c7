// /auth/{app}/…: end users sign up, in and out. All but `me` and `logout` are public, and do not look at the bearer, which
// clients send along even when it has expired.

import { type Context, Hono } from "hono";
import { appNotFound } from "../apps/access.ts";
import type { App, AppRegistry } from "../apps/app_registry.ts";
import type { EndUserTokens } from "../auth/end_user_tokens.ts";
import { looksLikePlatformKey } from "../auth/platform_keys.ts";
import type { EndUsers } from "../auth/users/mod.ts";
import { allowanceHeaders, type LimitedRoute, type RateLimits } from "../auth/users/rate_limits.ts";
import {
  parseCode,
  parseEmailOnly,
  parseLogin,
  parseRefresh,
  parseReset,
  parseSignup,
} from "../auth/users/requests.ts";
import { AppError } from "../core/errors.ts";
import type { EndUserPrincipal } from "../core/principal.ts";
import { readJson } from "./body.ts";
import { type ClientIp, clientIp } from "./client_ip.ts";
import type { Env } from "./env.ts";

export interface EndUserRoutesParts {
  registry: AppRegistry;
  users: EndUsers;
  tokens: EndUserTokens;
  limits: RateLimits;
  ip: ClientIp;
}

/** Longest body: a password, a name and an address fit many times over. */
const bodyBytes = 64 * 1024;

export function endUserRoutes({ registry, users, tokens, limits, ip }: EndUserRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();

  async function findApp(c: Context<Env>): Promise<App> {
    // Answers hold tokens.
    c.header("cache-control", "no-store");
    const id = c.req.param("app_id") ?? "";
    const app = await registry.find(id);
    if (app === null || app.provisioning.status === "deleting") throw appNotFound(id);
    return app;
  }

  async function limit(
    c: Context<Env>,
    app: App,
    route: LimitedRoute,
    counted: { account?: string; by?: "network" | "account" } = {},
  ): Promise<void> {
    const { account, by = "network" } = counted;
    const allowance = await limits.take(route, app.id, {
      ...(by === "network" ? { ip: clientIp(c, ip) } : {}),
      ...(account === undefined ? {} : { account }),
    });
    if (allowance === null) return;
    for (const [name, value] of Object.entries(allowanceHeaders(allowance))) c.header(name, value);
  }

  async function signedIn(c: Context<Env>, app: App): Promise<EndUserPrincipal> {
    const authorization = c.req.header("authorization");
    const token = authorization?.startsWith("Bearer ") ? authorization.slice("Bearer ".length).trim() : "";
    if (token === "" || token === app.anonKey) {
      throw new AppError("AUTH_REQUIRED", "This needs the access token of a user, and the request has none", {
        remediation: "Sign in, and send `Authorization: Bearer <access_token>`.",
      });
    }
    if (looksLikePlatformKey(token)) {
      throw new AppError("AUTH_INVALID_API_KEY", "A platform key is not the access token of a user", {
        remediation: "Sign in as a user, and send that access token.",
      });
    }
    const principal = await tokens.verify(app.id, token);
    if (principal !== null) return principal;
    throw new AppError("AUTH_INVALID_TOKEN", "The access token is wrong, expired, or another app's");
  }

  routes.post("/auth/:app_id/signup", async (c) => {
    const draft = parseSignup(await readJson(c, bodyBytes));
    const app = await findApp(c);
    await limit(c, app, "signup", { account: draft.email.emailKey });
    const user = await users.signUp(app, draft);
    return c.json({ user, message: "The account is made; a code to confirm the address is on its way" }, 201);
  });

  routes.post("/auth/:app_id/login", async (c) => {
    const given = parseLogin(await readJson(c, bodyBytes));
    const app = await findApp(c);
    await limit(c, app, "login", { account: given.email.emailKey });
    return c.json(await users.signIn(app, given));
  });

  routes.post("/auth/:app_id/refresh", async (c) => {
    const { refresh_token: token } = parseRefresh(await readJson(c, bodyBytes));
    const app = await findApp(c);
    const session = await users.sessionOf(app, token);
    await limit(c, app, "refresh", session === null ? {} : { account: session, by: "account" });
    return c.json(await users.refresh(app, token));
  });

  routes.post("/auth/:app_id/logout", async (c) => {
    const app = await findApp(c);
    await users.signOut(app, (await signedIn(c, app)).userId);
    return c.json({ message: "Signed out: no refresh token of yours is good any more" });
  });

  routes.get("/auth/:app_id/me", async (c) => {
    const app = await findApp(c);
    return c.json(await users.me(app, (await signedIn(c, app)).userId));
  });

  routes.post("/auth/:app_id/verify-email", async (c) => {
    const given = parseCode(await readJson(c, bodyBytes));
    const app = await findApp(c);
    await limit(c, app, "verify-email", { account: given.email.emailKey });
    await users.verifyEmail(app, given);
    return c.json({ message: "The address is confirmed" });
  });

  routes.post("/auth/:app_id/forgot-password", async (c) => {
    const { email } = parseEmailOnly(await readJson(c, bodyBytes));
    const app = await findApp(c);
    await limit(c, app, "forgot-password", { account: email.emailKey });
    users.forgotPassword(app, email);
    return c.json({ message: "If the address has an account, a code to set a new password is on its way" });
  });

  routes.post("/auth/:app_id/reset-password", async (c) => {
    const given = parseReset(await readJson(c, bodyBytes));
    const app = await findApp(c);
    await limit(c, app, "reset-password", { account: given.email.emailKey });
    await users.resetPassword(app, given);
    return c.json({ message: "The new password is set, and every session has ended" });
  });

  routes.post("/auth/:app_id/magic-link", async (c) => {
    const { email } = parseEmailOnly(await readJson(c, bodyBytes));
    const app = await findApp(c);
    await limit(c, app, "magic-link", { account: email.emailKey });
    users.sendMagicLink(app, email);
    return c.json({ message: "A code to sign in with is on its way" });
  });

  routes.post("/auth/:app_id/magic-link/verify", async (c) => {
    const given = parseCode(await readJson(c, bodyBytes));
    const app = await findApp(c);
    await limit(c, app, "magic-link/verify", { account: given.email.emailKey });
    return c.json(await users.signInByCode(app, given));
  });

  routes.get("/auth/:app_id/.well-known/jwks.json", async (c) => {
    const keys = await tokens.publicKeys((await findApp(c)).id);
    return c.json({ keys }, 200, { "cache-control": "public, max-age=300" });
  });

  return routes;
}
