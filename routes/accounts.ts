// Accounts, for the operator: POST, GET and DELETE /admin/users.

import { Hono } from "hono";
import type { Accounts } from "../auth/accounts.ts";
import { AppError } from "../core/errors.ts";
import { isUuid } from "../core/ids.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export function accountRoutes({ auth, accounts }: { auth: PlatformAuth; accounts: Accounts }): Hono<Env> {
  const routes = new Hono<Env>();

  routes.post("/admin/users", auth.operator, async (c) => {
    const { account, key } = await accounts.add(parsePerson(await readJson(c)));
    return c.json({ user: account, key: key.key, keyId: key.keyId }, 201);
  });

  routes.get("/admin/users", auth.operator, async (c) => c.json({ users: await accounts.list() }));

  routes.delete("/admin/users/:id", auth.operator, async (c) => {
    const id = c.req.param("id");
    if (!isUuid(id)) throw new AppError("RESOURCE_NOT_FOUND", `There is no account "${id.slice(0, 64)}"`);
    await accounts.disable(id);
    return c.json({ disabled: true });
  });

  return routes;
}

function parsePerson(body: unknown): { email: string; name: string } {
  const { email, name } = (typeof body === "object" ? body ?? {} : {}) as Record<string, unknown>;
  if (typeof email !== "string" || !/^[^\s@]+@[^\s@]+$/.test(email) || email.length > 254) {
    throw new AppError("VALIDATION_INVALID_SCHEMA", "Cannot add the user: email must be an e-mail address");
  }
  if (typeof name !== "string" || name.trim() === "" || name.length > 200) {
    throw new AppError(
      "VALIDATION_INVALID_SCHEMA",
      "Cannot add the user: name must be a string of 1 to 200 characters",
    );
  }
  return { email, name: name.trim() };
}
