// The HTTP interface: the middlewares in one list, then a file for each noun.

import { type Context, Hono } from "hono";
import type { AppRegistry } from "../apps/app_registry.ts";
import type { Apps } from "../apps/apps.ts";
import type { Accounts } from "../auth/accounts.ts";
import type { EndUserTokens } from "../auth/end_user_tokens.ts";
import type { OAuth } from "../auth/oauth/mod.ts";
import type { OpenedEndUsers } from "../auth/users/mod.ts";
import type { PlatformKeys } from "../auth/platform_keys.ts";
import { AppError } from "../core/errors.ts";
import { newUuid, type RequestId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { Rest } from "../data/rest/mod.ts";
import type { RowSecurity } from "../data/rls/mod.ts";
import type { Schemas } from "../data/schema/mod.ts";
import type { FunctionRegistry } from "../functions/function_registry.ts";
import type { Functions } from "../functions/functions.ts";
import type { Invoker } from "../functions/invoke.ts";
import { accountRoutes } from "./accounts.ts";
import { appRoutes } from "./apps.ts";
import { authConfigRoutes } from "./auth_config.ts";
import type { ClientIp } from "./client_ip.ts";
import { createData, dataRoutes, isDataUrl } from "./data.ts";
import { endUserRoutes } from "./end_users.ts";
import type { Env } from "./env.ts";
import { answerErrors, errorResponse } from "./error_response.ts";
import { createFn, fnRoutes } from "./fn.ts";
import { functionRoutes } from "./functions.ts";
import { type HealthParts, healthRoutes } from "./health.ts";
import { keyRoutes } from "./keys.ts";
import { cors } from "./middleware/cors.ts";
import { createPlatformAuth } from "./middleware/platform_auth.ts";
import { requestId, requestIdOf } from "./middleware/request_id.ts";
import { rlsRoutes } from "./rls.ts";
import { secureRoutes } from "./secure.ts";
import { schemaRoutes } from "./schema.ts";
import { oauthRoutes } from "./oauth.ts";
import { oauthConfigRoutes } from "./oauth_config.ts";
import { userAdminRoutes } from "./user_admin.ts";

export interface RoutesParts {
  log: Logger;
  health: HealthParts;
  accounts: Accounts;
  keys: PlatformKeys;
  tokens: EndUserTokens;
  endUsers: OpenedEndUsers;
  oauth: OAuth;
  apps: Apps;
  appRegistry: AppRegistry;
  functions: Functions;
  functionRegistry: FunctionRegistry;
  invoker: Invoker;
  schemas: Schemas;
  rls: RowSecurity;
  rest: Rest;
  apiBase: () => string;
  ip: ClientIp;
}

export interface Routes {
  fetch(request: Request, peer: Env["Bindings"]): Response | Promise<Response>;
  /** Every route, `ALL` for those of any method. */
  readonly routes: readonly { method: string; path: string }[];
}

/** A call of a function, told by its URL before anything else is looked at: nothing else is as frequent. */
const callForm = /^https?:\/\/[^/]*\/v1\/[^/?#]+\/fn\/[^/?#]/;

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
  const answerError = answerErrors(log);
  const fn = createFn({
    keys,
    tokens,
    apps: registry,
    functions: functionRegistry,
    invoker,
    apiBase,
    ip,
    answerError,
  });
  routes.route("/", fnRoutes(fn));
  routes.route("/", healthRoutes(parts.health));
  routes.route("/", accountRoutes({ auth, accounts: parts.accounts }));
  routes.route("/", keyRoutes({ auth, keys, registry }));
  routes.route("/", appRoutes({ auth, apps, apiBase, functionNames: (id) => functions.names(id) }));
  routes.route("/", functionRoutes({ auth, functions, invoker, apiBase, ip, serving: parts.health.ready }));
  const functionNames = (id: string) => functions.names(id);
  routes.route("/", authConfigRoutes({ auth, apps, tokens, functionNames }));
  routes.route("/", endUserRoutes({ registry, tokens, ip, ...parts.endUsers }));
  routes.route("/", userAdminRoutes({ auth, ...parts.endUsers }));
  routes.route("/", schemaRoutes({ auth, schemas: parts.schemas, apiBase }));
  routes.route("/", rlsRoutes({ auth, rls: parts.rls }));
  routes.route("/", secureRoutes({ auth, apps, rls: parts.rls }));
  routes.route("/", oauthRoutes({ registry, limits: parts.endUsers.limits, ip, ...parts.oauth }));
  routes.route("/", oauthConfigRoutes({ auth, ...parts.oauth }));
  const data = createData({ keys, tokens, registry, apps, rest: parts.rest, answerError });
  // After all others: what no other route takes may be a table's.
  routes.route("/", dataRoutes(data));
  routes.onError((error, c) => answerError(error, c.req.raw, requestIdOf(c)));
  routes.notFound(notFound);
  return {
    fetch(request, peer) {
      // Most calls come from no other origin's page, and need nothing of what the middlewares do.
      if (request.headers.has("origin")) return routes.fetch(request, peer);
      if (callForm.test(request.url)) return fn(request, peer, newUuid<RequestId>());
      return isDataUrl(request.url) ? data(request, newUuid<RequestId>()) : routes.fetch(request, peer);
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
