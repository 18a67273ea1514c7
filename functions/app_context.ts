// `ctx.app` and `ctx.env` of a function: what the platform tells about the app, and the variables with the app's own
// first, the function's over them, and the platform's over all.

import type { App } from "../apps/app_registry.ts";
import type { AppContext } from "../core/invocation.ts";
import type { IsolateSettings } from "../isolate/mod.ts";
import type { LiveFunction } from "./function_registry.ts";

function appContext(app: App): AppContext {
  return {
    id: app.id,
    name: app.name,
    ownerId: app.ownerId,
    substrateOrganizationId: null,
    region: app.region,
    subdomain: app.subdomain,
    anonKey: app.anonKey,
    allowedOrigins: app.allowedOrigins,
    frontend: null,
    auth: app.auth,
    ai: null,
    billing: null,
  };
}

const made = new WeakMap<LiveFunction, { app: App; settings: IsolateSettings }>();

/** Made once for each pair of app and function as they are known; either changing makes new ones. */
export function isolateSettings(app: App, fn: LiveFunction, apiBase: string): IsolateSettings {
  const known = made.get(fn);
  if (known?.app === app) return known.settings;
  const settings: IsolateSettings = {
    revision: `${app.revision}.${fn.revision}`,
    app: appContext(app),
    env: {
      ...app.env,
      ...fn.env,
      BUTTERBASE_APP_ID: app.id,
      BUTTERBASE_API_URL: apiBase,
      BUTTERBASE_APP_NAME: app.name,
      BUTTERBASE_REGION: app.region,
      BUTTERBASE_ANON_KEY: app.anonKey,
      BUTTERBASE_SUBDOMAIN: app.subdomain,
    },
  };
  made.set(fn, { app, settings });
  return settings;
}
