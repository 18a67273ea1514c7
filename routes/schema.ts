// An app's schema over HTTP: what it is, what a document would change, the change, and the history.

import { Hono } from "hono";
import type { ApplyRequest, Schemas } from "../data/schema/mod.ts";
import { AppError } from "../core/errors.ts";
import { readJson } from "./body.ts";
import type { Env } from "./env.ts";
import type { PlatformAuth } from "./middleware/platform_auth.ts";

export interface SchemaRoutesParts {
  auth: PlatformAuth;
  schemas: Schemas;
  apiBase: () => string;
}

export function schemaRoutes({ auth, schemas, apiBase }: SchemaRoutesParts): Hono<Env> {
  const routes = new Hono<Env>();

  routes.get("/v1/:app_id/schema", auth.readyApp, async (c) => {
    const { app } = c.var;
    const schema = await schemas.view(app);
    const tables = Object.keys(schema.tables);
    return c.json({
      app_id: app.id,
      schema,
      api_base: `${apiBase()}/v1/${app.id}`,
      _meta: { resource_info: { table_count: tables.length, tables }, next_actions: [] },
    });
  });

  routes.post("/v1/:app_id/schema/apply", auth.readyApp, async (c) => {
    const outcome = await schemas.apply(c.var.app, parseApply(await readJson(c)));
    const { warnings } = outcome;
    switch (outcome.kind) {
      case "unchanged":
        return c.json({
          applied: 0,
          statements: [],
          message: "The schema is as the document says.",
          warnings,
        });
      case "planned":
        return c.json({
          dry_run: true,
          applied: outcome.statements.length,
          statements: outcome.statements,
          warnings,
        });
      case "applied":
        return c.json({
          applied: outcome.statements.length,
          statements: outcome.statements,
          migration_id: outcome.migrationId,
          warnings,
        });
      default:
        return outcome satisfies never;
    }
  });

  routes.get("/v1/:app_id/migrations", auth.readyApp, async (c) => {
    const { app } = c.var;
    return c.json({ app_id: app.id, migrations: await schemas.migrations(app), template_migrations: [] });
  });

  return routes;
}

const longestLabel = 200;

/** @throws {AppError} VALIDATION_INVALID_SCHEMA, naming the field. */
function parseApply(body: unknown): ApplyRequest {
  const fail = (path: string, message: string): never => {
    throw new AppError("VALIDATION_INVALID_SCHEMA", `Cannot apply the schema: ${message}`, {
      details: [{ code: "invalid", path: path === "" ? [] : [path], message }],
    });
  };
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return fail("", "the body must be a JSON object");
  }
  const { schema, dry_run = false, name } = body as Record<string, unknown>;
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    return fail("schema", 'schema must be an object, as {"tables": {}}');
  }
  if (typeof dry_run !== "boolean") return fail("dry_run", "dry_run must be true or false");
  const label = name ?? `schema_${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  if (typeof label !== "string" || label.length > longestLabel) {
    return fail("name", `name must be a string of at most ${longestLabel} characters`);
  }
  return { schema, name: label, mode: dry_run ? "dry_run" : "apply" };
}
