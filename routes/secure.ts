// Secures an app in one request: only signed-in users reach its data, and each of the named tables shows them their own
// rows alone. A table that cannot be secured stays as it was, and holds up no other.

import { Hono } from "hono";
import type { Apps } from "../apps/apps.ts";
import { AppError } from "../core/errors.ts";
import { checkTable, type IsolationDraft, parseSecuring, type RowSecurity } from "../data/rls/mod.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface SecureRoutesParts {
  auth: PlatformAuth;
  apps: Apps;
  rls: RowSecurity;
}

export function secureRoutes({ auth, apps, rls }: SecureRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();

  routes.post("/v1/:app_id/secure", auth.readyApp, async (c) => {
    const drafts = parseSecuring(await readJson(c));
    const { app } = c.var;
    // First: what fails later leaves the app too closed, not too open.
    const row = await apps.change(app, { access_mode: "authenticated" });
    const secured = [];
    const errors = [];
    for (const draft of drafts) {
      try {
        const table = checkTable(draft.table);
        const { policy, publicRead } = await rls.isolate(app, draft);
        secured.push({
          table,
          policy,
          ...(publicRead.length === 0 ? {} : { public_read_policies: publicRead }),
        });
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        errors.push(tableError(draft, error));
      }
    }
    return c.json({
      message: messageOf(secured.length, errors.length),
      app_id: row.id,
      access_mode: row.access_mode,
      tables_secured: secured,
      ...(errors.length === 0 ? {} : { table_errors: errors }),
    });
  });

  return routes;
}

function tableError({ table }: IsolationDraft, { code, message, remediation }: AppError) {
  return { table, error: message, code, remediation };
}

function messageOf(secured: number, failed: number): string {
  const mode = "Only signed-in users reach the app's data";
  if (failed > 0) return `${mode}; ${failed} of ${secured + failed} tables could not be secured`;
  return secured === 0 ? `${mode}; no table was named` : `${mode}; tables secured: ${secured}`;
}
