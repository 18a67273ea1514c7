// The HTTP interface: the middlewares in one list, then a file for each noun.

import { Hono } from "hono";
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
import { requestId } from "./middleware/request_id.ts";

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

export function createRoutes(parts: RoutesParts): Hono<Env> {
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
  routes.route(
    "/",
    fnRoutes({ keys, tokens, apps: registry, functions: functionRegistry, invoker, apiBase, ip }),
  );
  routes.route("/", healthRoutes(parts.health));
  routes.route("/", accountRoutes({ auth, accounts: parts.accounts }));
  routes.route("/", keyRoutes({ auth, keys, registry }));
  routes.route("/", appRoutes({ auth, apps, apiBase, functionNames: (id) => functions.names(id) }));
  routes.route("/", functionRoutes({ auth, functions, invoker, apiBase, ip, serving: parts.health.ready }));
  routes.onError(onError(log));
  routes.notFound((c) =>
    errorResponse(
      new AppError("RESOURCE_NOT_FOUND", `There is no ${c.req.method} ${c.req.path.slice(0, 200)}`, {
        remediation: "Check the method and the path.",
      }),
      c.var.requestId,
    )
  );
  return routes;
}
