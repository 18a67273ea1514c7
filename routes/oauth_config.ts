// The providers that an app's users sign in by, for its owner.

import { Hono } from "hono";
import { parseProviderChange, parseProviderDraft, type ProviderSettings } from "../auth/oauth/mod.ts";
import type { EgressRules } from "../core/egress/judge.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface OAuthConfigRoutesParts {
  auth: PlatformAuth;
  settings: ProviderSettings;
  /** What the platform may connect to. */
  egress: () => EgressRules;
}

export function oauthConfigRoutes({ auth, settings, egress }: OAuthConfigRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();
  const place = "/v1/:app_id/auth/oauth-config";

  routes.post(place, auth.app, async (c) => {
    const draft = await parseProviderDraft(await readJson(c), egress());
    const config = await settings.put(c.var.app.id, draft);
    return c.json({ ...config, message: `Users can sign in by ${config.provider}`, config });
  });

  routes.get(place, auth.app, async (c) => {
    const providers = await settings.list(c.var.app.id);
    return c.json({ configs: providers, providers });
  });

  routes.get(`${place}/:provider`, auth.app, async (c) => {
    return c.json(await settings.get(c.var.app.id, c.req.param("provider")));
  });

  routes.patch(`${place}/:provider`, auth.app, async (c) => {
    const change = await parseProviderChange(await readJson(c), egress());
    const config = await settings.change(c.var.app.id, c.req.param("provider"), change);
    return c.json({ ...config, message: `The sign-in by ${config.provider} is changed`, config });
  });

  routes.delete(`${place}/:provider`, auth.app, async (c) => {
    const provider = c.req.param("provider");
    await settings.remove(c.var.app.id, provider);
    return c.json({ message: `Users can no longer sign in by ${provider}`, provider });
  });

  return routes;
}
