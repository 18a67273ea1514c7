// The HTTP interface: the middlewares in one list, then a file for each noun.

import { type Context, Hono } from "hono";
import { RegExpRouter } from "hono/router/reg-exp-router";
import type { AppRegistry } from "../apps/app_registry.ts";
import type { Apps } from "../apps/apps.ts";
import type { Accounts } from "../auth/accounts.ts";
import type { EndUserTokens } from "../auth/end_user_tokens.ts";
import type { PlatformKeys } from "../auth/platform_keys.ts";
import { AppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { FunctionRegistry } from "../functions/function_registry.ts";
import type { Functions } from "../functions/functions.ts";
import type { Invoker } from "../functions/invoke.ts";
import { accountRoutes } from "./accounts.ts";
import { appRoutes } from "./apps.ts";
import type { ClientIp } from "./client_ip.ts";
import type { Env } from "./env.ts";
import { errorResponse, onError } from "./error_response.ts";
import { fnRoutes } from "./fn.ts";
import { functionRoutes } from "./functions.ts";
import { type HealthParts, healthRoutes } from "./health.ts";
import { keyRoutes } from "./keys.ts";
import { cors } from "./middleware/cors.ts";
import { createPlatformAuth } from "./middleware/platform_auth.ts";
import { requestId, requestIdOf } from "./middleware/request_id.ts";

export interface RoutesParts {
  log: Logger;
  health: HealthParts;
  accounts: Accounts;
  keys: PlatformKeys;
  tokens: EndUserTokens;
  apps: Apps;
  appRegistry: AppRegistry;
  functions: Functions;
  functionRegistry: FunctionRegistry;
  invoker: Invoker;
  apiBase: () => string;
  ip: ClientIp;
}

export interface Routes {
  fetch(request: Request, peer: Env["Bindings"]): Response | Promise<Response>;
  /** Every route, `ALL` for those of any method. */
  readonly routes: readonly { method: string; path: string }[];
}

/** A call of a function, told by its URL before anything else is looked at: nothing else is as frequent. */
const callForm = /^https?:\/\/[^/]*\/v1\/[^/?#]+\/fn\//;

export function createRoutes(parts: RoutesParts): Routes {
  const {
    log,
    keys,
    tokens,
    apps,
    appRegistry: registry,
    functions,
    functionRegistry,
    invoker,
    apiBase,
    ip,
  } = parts;
  const auth = createPlatformAuth({ keys, registry, apps });
  const routes = new Hono<Env>();
  routes.use(requestId, cors(registry));
  const fn = fnRoutes({ keys, tokens, apps: registry, functions: functionRegistry, invoker, apiBase, ip });
  routes.route("/", fn);
  routes.route("/", healthRoutes(parts.health));
  routes.route("/", accountRoutes({ auth, accounts: parts.accounts }));
  routes.route("/", keyRoutes({ auth, keys, registry }));
  routes.route("/", appRoutes({ auth, apps, apiBase, functionNames: (id) => functions.names(id) }));
  routes.route("/", functionRoutes({ auth, functions, invoker, apiBase, ip, serving: parts.health.ready }));
  routes.onError(onError(log));
  routes.notFound(notFound);
  // The same routes alone, without a middleware: most calls come from no other origin's page.
  const calls = new Hono<Env>({ router: new RegExpRouter() });
  calls.route("/", fn);
  calls.onError(onError(log));
  calls.notFound(notFound);
  return {
    fetch(request, peer) {
      const direct = callForm.test(request.url) && !request.headers.has("origin");
      return (direct ? calls : routes).fetch(request, peer);
    },
    routes: routes.routes,
  };
}

function notFound(c: Context<Env>): Response {
  const error = new AppError(
    "RESOURCE_NOT_FOUND",
    `There is no ${c.req.method} ${c.req.path.slice(0, 200)}`,
    {
      remediation: "Check the method and the path.",
    },
  );
  return errorResponse(error, requestIdOf(c));
}
