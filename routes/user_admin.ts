// An app's end users, for its owner: list, block, delete, and the mails that were sent to them.

import { Hono } from "hono";
import type { Mails } from "../auth/mail/mails.ts";
import type { EndUsers } from "../auth/users/mod.ts";
import { parseUserPage, type UserAdministration } from "../auth/users/user_administration.ts";
import { AppError } from "../core/errors.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface UserAdminParts {
  auth: PlatformAuth;
  users: EndUsers;
  administration: UserAdministration;
  mails: Mails;
}

export function userAdminRoutes({ auth, users, administration, mails }: UserAdminParts): Hono<Env> {
  const routes = new Hono<Env>();
  const base = "/v1/:app_id/admin/auth";

  routes.get(`${base}/users`, auth.app, async (c) => {
    return c.json(await administration.list(c.var.app.id, parseUserPage(c.req.query())));
  });

  routes.delete(`${base}/users/:user_id`, auth.app, async (c) => {
    return c.json(await administration.remove(c.var.app.id, c.req.param("user_id")));
  });

  routes.patch(`${base}/users/:user_id`, auth.app, async (c) => {
    const blocked = parseBlocked(await readJson(c));
    return c.json(await administration.setBlocked(c.var.app.id, c.req.param("user_id"), blocked));
  });

  routes.get(`${base}/outbox`, auth.app, async (c) => {
    // A mail that was just asked for is in it.
    await users.settled();
    return c.json(await mails.outbox(c.var.app.id));
  });

  return routes;
}

function parseBlocked(body: unknown): boolean {
  const blocked = typeof body === "object" && body !== null
    ? (body as Record<string, unknown>)["blocked"]
    : undefined;
  if (typeof blocked === "boolean") return blocked;
  throw new AppError("VALIDATION_INVALID_SCHEMA", "Cannot change the user: blocked must be true or false", {
    details: [{ path: ["blocked"], message: "must be true or false" }],
  });
}
