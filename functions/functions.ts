// Functions as their developer manages them. Everything here works while the app is paused.

import type { App } from "../apps/app_registry.ts";
import { type EnvChange, mergeEnv, openEnv, sealEnv } from "../apps/env.ts";
import { AppError } from "../core/errors.ts";
import type { PlatformPrincipal } from "../core/principal.ts";
import type { Sealer } from "../core/sealing.ts";
import type { Sql } from "../db/mod.ts";
import {
  findFunction,
  type FunctionRow,
  listFunctionNames,
  listFunctions,
  type LiveFunctionRow,
  markFunctionDeleted,
  readSource,
  updateFunctionEnv,
  updateFunctionSettings,
} from "../db/queries/functions.ts";
import { listInvocations } from "../db/queries/invocations.ts";
import { deploy, type Deployed } from "./deploy.ts";
import type { FunctionDraft } from "./function_draft.ts";
import { functionEnvPlace, type FunctionRegistry, type LiveFunction } from "./function_registry.ts";
import { functionDetail, listedFunction, type LogView, logView } from "./function_views.ts";
import type { InvocationLog } from "./invocation_log.ts";
import type { LogQuery } from "./log_query.ts";
import { LogTail } from "./log_tail.ts";
import type { BundledSource } from "./source/mod.ts";

export interface FunctionsParts {
  sql: Sql;
  sealer: Sealer;
  registry: FunctionRegistry;
  log: InvocationLog;
  bundle(code: string): Promise<BundledSource>;
  apiBase: () => string;
}

export class Functions {
  readonly #parts: FunctionsParts;

  constructor(parts: FunctionsParts) {
    this.#parts = parts;
  }

  deploy(app: App, draft: FunctionDraft, by: PlatformPrincipal): Promise<Deployed> {
    return deploy(this.#parts, { app, draft, by });
  }

  async list(app: App): Promise<ReturnType<typeof listedFunction>[]> {
    const rows = await listFunctions(this.#parts.sql, app.id);
    return rows.map((row) => listedFunction(row, this.#parts.apiBase()));
  }

  names(appId: string): Promise<string[]> {
    return listFunctionNames(this.#parts.sql, appId);
  }

  /** @throws {AppError} RESOURCE_NOT_FOUND. */
  async get(app: App, name: string): Promise<ReturnType<typeof functionDetail>> {
    const { sql, sealer } = this.#parts;
    const row = await this.#row(app, name, { deleted: "hide" });
    const env = await openEnv(sealer, row.env_sealed, functionEnvPlace(row.id));
    return functionDetail(row, await readSource(sql, row.version_id) ?? "", Object.keys(env).sort());
  }

  /** The function as the invoke path knows it. @throws {AppError} RESOURCE_NOT_FOUND. */
  async live(app: App, name: string): Promise<LiveFunction> {
    const fn = await this.#parts.registry.find(app.id, name);
    if (fn === null) throw functionNotFound(app, name);
    return fn;
  }

  /** Hides the function; its row, versions, counters and logs stay. No error when there is none. */
  async delete(app: App, name: string): Promise<void> {
    if (!isName(name) || await markFunctionDeleted(this.#parts.sql, app.id, name) === null) return;
    await this.#parts.registry.changed(app.id, name);
  }

  /** Takes effect on the next invocation. @throws {AppError} RESOURCE_NOT_FOUND. */
  async changeEnv(app: App, name: string, change: EnvChange): Promise<{ fn: FunctionRow; keys: string[] }> {
    const { sql, sealer, registry } = this.#parts;
    if (!isName(name)) throw functionNotFound(app, name);
    let keys: string[] = [];
    const fn = await updateFunctionEnv(sql, { appId: app.id, name }, async (sealed, id) => {
      const place = functionEnvPlace(id);
      const merged = mergeEnv(await openEnv(sealer, sealed, place), change);
      keys = Object.keys(merged).sort();
      return await sealEnv(sealer, merged, place);
    });
    if (fn === null) throw functionNotFound(app, name);
    await registry.changed(app.id, name);
    return { fn, keys };
  }

  /** @throws {AppError} RESOURCE_NOT_FOUND. */
  async changeSettings(
    app: App,
    name: string,
    settings: { allow_service_key_impersonation: boolean },
  ): Promise<FunctionRow> {
    const { sql, registry } = this.#parts;
    const fn = isName(name) ? await updateFunctionSettings(sql, { appId: app.id, name }, settings) : null;
    if (fn === null) throw functionNotFound(app, name);
    await registry.changed(app.id, name);
    return fn;
  }

  /** Newest first. @throws {AppError} RESOURCE_NOT_FOUND, also for a deleted function unless it is asked for. */
  async logs(app: App, name: string, query: LogQuery): Promise<{ logs: LogView[]; hasMore: boolean }> {
    const row = await this.#row(app, name, { deleted: query.includeDeleted ? "show" : "hide" });
    await this.#parts.log.flush();
    const { limit, since, errorsOnly } = query;
    const found = await listInvocations(this.#parts.sql, {
      functionId: row.id,
      limit: limit + 1,
      since,
      errorsOnly,
    });
    return { logs: found.slice(0, limit).map(logView), hasMore: found.length > limit };
  }

  /**
   * Looks at the log from `since` on, or from now: each call of the answer gives the lines that have come, and `null` once
   * the function is gone.
   * @throws {AppError} RESOURCE_NOT_FOUND.
   */
  async tail(
    app: App,
    name: string,
    { since, errorsOnly }: { since: Date | null; errorsOnly: boolean },
  ): Promise<() => Promise<LogView[] | null>> {
    const { sql, registry } = this.#parts;
    const { id, timeoutMs } = await this.live(app, name);
    // Beside its timeout a run has 30 s for background work.
    const longestRunMs = timeoutMs + 60_000;
    const tail = new LogTail({ sql, functionId: id, since, now: Date.now(), longestRunMs, errorsOnly });
    return async () => {
      if (await registry.find(app.id, name) === null) return null;
      return (await tail.next()).map(logView);
    };
  }

  async #row(app: App, name: string, { deleted }: { deleted: "hide" | "show" }): Promise<LiveFunctionRow> {
    const row = isName(name) ? await findFunction(this.#parts.sql, app.id, name) : null;
    if (row === null || (row.deleted_at !== null && deleted === "hide")) throw functionNotFound(app, name);
    return row;
  }
}

/** What cannot be a name is not asked of PostgreSQL, which would refuse a NUL in it. */
function isName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,100}$/.test(name);
}

export function functionNotFound(app: Pick<App, "id">, name: string): AppError {
  return new AppError("RESOURCE_NOT_FOUND", `The app "${app.id}" has no function "${name.slice(0, 100)}"`, {
    remediation: `Check the name: GET /v1/${app.id}/functions lists the app's functions.`,
  });
}
