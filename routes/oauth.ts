// /auth/{app}/oauth/{provider}: to the provider, and back. Browsers come here by themselves, so nothing but the URL, a form
// and a cookie is read, and nothing that they answer is kept or told to another site.

import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { appNotFound } from "../apps/access.ts";
import type { App, AppRegistry } from "../apps/app_registry.ts";
import type { OAuthSignIn } from "../auth/oauth/mod.ts";
import type { RateLimits } from "../auth/users/rate_limits.ts";
import { AppError } from "../core/errors.ts";
import { readBytes } from "./body.ts";
import { type ClientIp, clientIp } from "./client_ip.ts";
import type { Env } from "./env.ts";

export interface OAuthRoutesParts {
  registry: AppRegistry;
  signIn: OAuthSignIn;
  limits: RateLimits;
  ip: ClientIp;
}

const longestForm = 64 * 1024;

export function oauthRoutes({ registry, signIn, limits, ip }: OAuthRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();
  const place = "/auth/:app_id/oauth/:provider";

  async function findApp(c: Context<Env>): Promise<App> {
    c.header("cache-control", "no-store");
    // URLs of both routes hold what is worth something for a while.
    c.header("referrer-policy", "no-referrer");
    const id = c.req.param("app_id") ?? "";
    const app = await registry.find(id);
    if (app === null || app.provisioning.status === "deleting") throw appNotFound(id);
    return app;
  }

  async function finish(c: Context<Env>, redirect: URLSearchParams): Promise<Response> {
    const app = await findApp(c);
    const { signedIn, location } = await signIn.finish(app, c.req.param("provider") ?? "", {
      redirect,
      cookie: (name) => getCookie(c, name),
    });
    return location === null ? c.json(signedIn) : c.redirect(location, 302);
  }

  routes.get(place, async (c) => {
    const app = await findApp(c);
    await limits.take("oauth", app.id, { ip: clientIp(c, ip) });
    const { location, cookie } = await signIn.begin(app, c.req.param("provider"), {
      redirectTo: c.req.query("redirect_to") ?? null,
      redirectUri: c.req.query("redirect_uri") ?? null,
    });
    const { name, value, path, secure, sameSite, maxAgeSeconds: maxAge } = cookie;
    setCookie(c, name, value, { path, secure, sameSite, maxAge, httpOnly: true });
    return c.redirect(location, 302);
  });

  routes.get(`${place}/callback`, (c) => finish(c, new URL(c.req.url).searchParams));

  routes.post(`${place}/callback`, async (c) => {
    if (!/^application\/x-www-form-urlencoded\b/i.test(c.req.header("content-type") ?? "")) {
      throw new AppError("REQUEST_ERROR", "The body must be a form: application/x-www-form-urlencoded");
    }
    return await finish(c, new URLSearchParams(new TextDecoder().decode(await readBytes(c, longestForm))));
  });

  return routes;
}
