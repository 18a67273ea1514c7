// Row-level security as developers manage it: policies, and the helper that isolates users from one another.

import { Hono } from "hono";
import {
  checkPolicyName,
  checkTable,
  parseEnabling,
  parseIsolation,
  parsePolicy,
  parseReplacement,
  type RowSecurity,
} from "../data/rls/mod.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface RlsRoutesParts {
  auth: PlatformAuth;
  rls: RowSecurity;
}

export function rlsRoutes({ auth, rls }: RlsRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();

  routes.get("/v1/:app_id/rls", auth.readyApp, async (c) => c.json(await rls.list(c.var.app)));

  routes.post("/v1/:app_id/rls/enable", auth.readyApp, async (c) => {
    const table = parseEnabling(await readJson(c));
    await rls.enable(c.var.app, table);
    return c.json({ success: true, table, rls_enabled: true });
  });

  routes.post("/v1/:app_id/rls", auth.readyApp, async (c) => {
    const draft = parseIsolation(await readJson(c));
    const { policy, publicRead } = await rls.isolate(c.var.app, draft);
    return c.json({
      success: true,
      table: draft.table,
      user_column: draft.userColumn,
      policy_name: policy,
      ...(publicRead.length === 0 ? {} : { public_read_policies: publicRead }),
      _meta: { next_actions: nextActions },
    });
  });

  routes.post("/v1/:app_id/rls/policies", auth.readyApp, async (c) => {
    const draft = parsePolicy(await readJson(c));
    return c.json(changed(draft, await rls.createPolicy(c.var.app, draft)));
  });

  routes.patch("/v1/:app_id/rls/policies/:policy_name", auth.readyApp, async (c) => {
    const draft = parseReplacement(c.req.param("policy_name"), await readJson(c));
    return c.json(changed(draft, await rls.replacePolicy(c.var.app, draft)));
  });

  routes.delete("/v1/:app_id/rls/:table", auth.readyApp, async (c) => {
    const table = checkTable(c.req.param("table"));
    const removed = await rls.deleteAll(c.var.app, table);
    return c.json({
      message: `The policies of table "${table}" are deleted and its row-level security is off: ` +
        "it is closed to end users and anonymous callers",
      table,
      policies_removed: removed,
    });
  });

  routes.delete("/v1/:app_id/rls/:table/:policy_name", auth.readyApp, async (c) => {
    const table = checkTable(c.req.param("table"));
    const name = checkPolicyName(c.req.param("policy_name"));
    const remaining = await rls.deletePolicy(c.var.app, table, name);
    return c.json({
      message: `The policy "${name}" of table "${table}" is deleted`,
      table,
      policy_name: name,
      remaining_policies: remaining,
    });
  });

  return routes;
}

function changed({ name, table }: { name: string; table: string }, warnings: string[]) {
  return { success: true, policy_name: name, table, ...(warnings.length === 0 ? {} : { warnings }) };
}

const nextActions = [
  {
    action: "add_policy",
    description: "Let users see or change some rows of others",
    tool: "manage_rls",
    when: "rows are shared, or anonymous callers may read some of them",
  },
  {
    action: "isolate_more_tables",
    description: "Isolate the users of the other tables that hold their rows",
    tool: "manage_rls",
    when: "GET /v1/{app}/rls does not list a table in tables_with_rls",
  },
];
