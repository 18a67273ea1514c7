// Who manages: a platform key, and its reach. Every management route names what it needs here.

import type { Context, MiddlewareHandler } from "hono";
import { findManagedApp } from "../../apps/access.ts";
import type { AppRegistry } from "../../apps/app_registry.ts";
import type { Apps } from "../../apps/apps.ts";
import { appNotFound } from "../../apps/access.ts";
import type { PlatformKeys } from "../../auth/platform_keys.ts";
import { AppError } from "../../core/errors.ts";
import type { PlatformPrincipal } from "../../core/principal.ts";
import type { Env } from "../env.ts";

export interface PlatformAuth {
  /** Any platform key. */
  signedIn: MiddlewareHandler<Env>;
  /** A key that reaches the whole account: one of a single app makes no apps and no keys. */
  account: MiddlewareHandler<Env>;
  /** The operator's key. */
  operator: MiddlewareHandler<Env>;
  /** A key that reaches the app of the path, whatever state that is in. */
  app: MiddlewareHandler<Env>;
  /** The same, once the app can be used. */
  readyApp: MiddlewareHandler<Env>;
  /** Whether the key of a request still reaches its app, for an answer that goes on. */
  holds(c: Context<Env>): Promise<boolean>;
}

export interface PlatformAuthParts {
  keys: PlatformKeys;
  registry: AppRegistry;
  apps: Apps;
}

export function createPlatformAuth({ keys, registry, apps }: PlatformAuthParts): PlatformAuth {
  async function identify(c: Context<Env>): Promise<PlatformPrincipal> {
    const authorization = c.req.header("authorization");
    if (authorization === undefined || !authorization.startsWith("Bearer ")) {
      throw new AppError("AUTH_REQUIRED", "This needs a platform key, and the request has none", {
        remediation: "Send `Authorization: Bearer bb_sk_…`; the first start of the server printed a key.",
      });
    }
    const token = authorization.slice("Bearer ".length).trim();
    const principal = await keys.check(token);
    if (principal === null) {
      throw token.startsWith("bb_sk_")
        ? new AppError("AUTH_INVALID_API_KEY", "The platform key is unknown or revoked")
        : new AppError("AUTH_INVALID_TOKEN", "The bearer is not a platform key", {
          remediation: "Send a platform key: `Authorization: Bearer bb_sk_…`.",
        });
    }
    return principal;
  }

  async function identifyForApp(c: Context<Env>): Promise<void> {
    const id = c.req.param("app_id") ?? "";
    // The contract puts an unknown app before a missing credential.
    if (await registry.find(id) === null) throw appNotFound(id);
    c.set("principal", await identify(c));
    c.set("app", await findManagedApp(registry, id, c.var.principal));
  }

  return {
    async signedIn(c, next) {
      c.set("principal", await identify(c));
      await next();
    },
    async account(c, next) {
      const principal = await identify(c);
      if (principal.reach.kind === "app") {
        throw new AppError(
          "AUTH_INSUFFICIENT_PERMISSIONS",
          `The key reaches the app "${principal.reach.appId}" only`,
          {
            remediation: "Use a key with key_scope `account`.",
          },
        );
      }
      c.set("principal", principal);
      await next();
    },
    async operator(c, next) {
      const principal = await identify(c);
      if (!principal.operator) {
        throw new AppError("AUTH_INSUFFICIENT_PERMISSIONS", "Only the operator may do this", {
          remediation: "Use an account key of the first owner.",
        });
      }
      c.set("principal", principal);
      await next();
    },
    async app(c, next) {
      await identifyForApp(c);
      await next();
    },
    async readyApp(c, next) {
      await identifyForApp(c);
      c.set("app", await apps.ready(c.var.app));
      await next();
    },
    async holds(c) {
      try {
        await identifyForApp(c);
        return true;
      } catch (error) {
        if (error instanceof AppError) return false;
        throw error;
      }
    },
  };
}
