// Apps from their making to their end. PROVISIONING → READY → DELETING, or FAILED; what a crash interrupts is taken up
// again at the next start.

import { AppError } from "../core/errors.ts";
import { type AccountId, type AppId, newAppId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { PlatformPrincipal } from "../core/principal.ts";
import type { Sealer } from "../core/sealing.ts";
import { type AppDatabases, setupRevision, type Sql } from "../db/mod.ts";
import {
  type AppChange,
  type AppRow,
  findAppByName,
  forgetApp,
  insertApp,
  isSubdomainTaken,
  listApps,
  listUnfinishedApps,
  markAppDeleted,
  setProvisioning,
  updateApp,
  updateAppEnv,
} from "../db/queries/apps.ts";
import { readPlatformSetting, storePlatformSetting } from "../db/queries/settings.ts";
import { appNotFound } from "./access.ts";
import type { App, AppRegistry } from "./app_registry.ts";
import { appEnvPlace, type EnvChange, mergeEnv, openEnv, sealEnv } from "./env.ts";

export interface AppDraft {
  name: string;
  subdomain: string | null;
  region: string | null;
}

export interface AppsParts {
  sql: Sql;
  databases: AppDatabases;
  registry: AppRegistry;
  sealer: Sealer;
  log: Logger;
  region: string;
}

const nameForm = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const subdomainForm = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Names the setup that every app's database has. */
const setupSetting = "app_database_setup";

/** Longest a request waits for an app that is being made. */
const provisioningWaitMs = 15_000;

export class Apps {
  readonly #parts: AppsParts;
  readonly #provisioning = new Map<AppId, Promise<void>>();

  constructor(parts: AppsParts) {
    this.#parts = parts;
  }

  get regions(): string[] {
    return [this.#parts.region];
  }

  /** Makes the app; the database follows in the background. An app of the same name and owner is found instead. */
  async create(owner: AccountId, draft: AppDraft): Promise<{ app: AppRow; made: boolean }> {
    const { sql, region } = this.#parts;
    const existing = await findAppByName(sql, { ownerId: owner, region, name: draft.name });
    if (existing !== null) return { app: existing, made: false };
    for (let attempt = 0; attempt < 5; attempt++) {
      const id = newAppId();
      const app = await insertApp(sql, {
        id,
        owner_id: owner,
        name: draft.name,
        subdomain: await this.#freeSubdomain(draft),
        db_name: id,
        region,
        anon_key: `bb_anon_${crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" })}`,
      });
      if (app !== null) {
        this.#provision(app);
        return { app, made: true };
      }
      const raced = await findAppByName(sql, { ownerId: owner, region, name: draft.name });
      if (raced !== null) return { app: raced, made: false };
    }
    throw new AppError(
      "RESOURCE_CONFLICT",
      `Cannot create the app "${draft.name}": its subdomain is taken each time`,
    );
  }

  async #freeSubdomain({ name, subdomain }: AppDraft): Promise<string> {
    const { sql } = this.#parts;
    if (subdomain !== null) {
      if (!await isSubdomainTaken(sql, subdomain)) return subdomain;
      throw new AppError(
        "RESOURCE_CONFLICT",
        `Cannot create the app: the subdomain "${subdomain}" is taken`,
        {
          remediation: "Choose another subdomain, or leave it out.",
        },
      );
    }
    const wanted = name.replaceAll("_", "-").replace(/-+$/, "");
    if (!await isSubdomainTaken(sql, wanted)) return wanted;
    return `${wanted.slice(0, 56)}-${crypto.getRandomValues(new Uint8Array(3)).toHex()}`;
  }

  #provision(app: AppRow): void {
    const { sql, databases, registry, log } = this.#parts;
    const work = async () => {
      try {
        await databases.create(app.db_name);
        const isWanted = await setProvisioning(sql, app.id, { status: "ready", error: null });
        // Another node deleted the app before there was a database to drop.
        if (!isWanted) await databases.drop(app.db_name);
      } catch (error) {
        log.error("An app's database could not be made", { app: app.id, error });
        const message =
          "The app's database could not be made; the operator finds the cause in the server's log.";
        await setProvisioning(sql, app.id, { status: "failed", error: message }).catch(() => {});
      }
      await registry.changed(app.id).catch((error) => log.error("A change was not announced", { error }));
    };
    this.#provisioning.set(app.id, work().finally(() => this.#provisioning.delete(app.id)));
  }

  /** Takes up what a crash left half done, and gives databases of a former program what this one keeps in them. */
  async resume(): Promise<void> {
    const { sql, log } = this.#parts;
    await this.#bringForward();
    for (const app of await listUnfinishedApps(sql)) {
      if (app.provisioning_status !== "deleting") this.#provision(app);
      else {
        await this.#drop(app).catch((error) =>
          log.error("A deleted app's database could not be dropped", { app: app.id, error })
        );
      }
    }
  }

  async #bringForward(): Promise<void> {
    const { sql, databases, log } = this.#parts;
    const revision = await setupRevision();
    if (await readPlatformSetting(sql, setupSetting) === revision) return;
    let behind = 0;
    for (const app of await listApps(sql, null)) {
      if (app.provisioning_status !== "ready") continue;
      try {
        await databases.create(app.db_name);
      } catch (error) {
        behind++;
        log.error("An app's database could not be brought forward", { app: app.id, error });
      }
    }
    // What could not be done is tried at the next start.
    if (behind === 0) await storePlatformSetting(sql, setupSetting, revision);
  }

  /** Background work that is still under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#provisioning.values());
  }

  /**
   * The app once it can be used; waits while this node makes it.
   * @throws {AppError} APP_PROVISIONING or APP_DELETING.
   */
  async ready(app: App): Promise<App> {
    if (app.provisioning.status === "ready") return app;
    const work = this.#provisioning.get(app.id);
    if (work !== undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, provisioningWaitMs)))]);
      clearTimeout(timer);
    }
    const now = await this.#parts.registry.find(app.id);
    if (now === null || now.provisioning.status === "deleting") {
      throw new AppError("APP_DELETING", `The app "${app.id}" is being deleted`);
    }
    if (now.provisioning.status === "ready") return now;
    throw new AppError(
      "APP_PROVISIONING",
      now.provisioning.status === "failed"
        ? `The app "${app.id}" could not be made: ${now.provisioning.error}`
        : `The app "${app.id}" is being made`,
      now.provisioning.status === "failed" ? { remediation: "Delete the app and create it again." } : {},
    );
  }

  /** Apps that the key reaches, newest first. */
  async list(principal: PlatformPrincipal): Promise<AppRow[]> {
    const rows = await listApps(this.#parts.sql, principal.operator ? null : principal.accountId);
    const { reach } = principal;
    return reach.kind === "app" ? rows.filter((row) => row.id === reach.appId) : rows;
  }

  /** Takes the app out of sight at once, then drops its database. */
  async delete(app: App): Promise<void> {
    await this.#provisioning.get(app.id);
    await markAppDeleted(this.#parts.sql, app.id);
    await this.#parts.registry.changed(app.id);
    await this.#drop(app.row);
  }

  async #drop(app: AppRow): Promise<void> {
    await this.#parts.databases.drop(app.db_name);
    await forgetApp(this.#parts.sql, app.id);
  }

  /** Changes the app's configuration; every node sees it. */
  async change(app: App, change: AppChange): Promise<AppRow> {
    const row = await updateApp(this.#parts.sql, app.id, change);
    if (row === null) throw appNotFound(app.id);
    await this.#parts.registry.changed(app.id);
    return row;
  }

  /** Merges the change into the app's env; answers all keys that are then set. */
  async changeEnv(app: App, change: EnvChange): Promise<{ keys: string[]; updatedAt: Date }> {
    const { sql, sealer, registry } = this.#parts;
    const place = appEnvPlace(app.id);
    let keys: string[] = [];
    const row = await updateAppEnv(sql, app.id, async (sealed) => {
      const merged = mergeEnv(await openEnv(sealer, sealed, place), change);
      keys = Object.keys(merged).sort();
      return await sealEnv(sealer, merged, place);
    });
    if (row === null) throw appNotFound(app.id);
    await registry.changed(app.id);
    return { keys, updatedAt: row.env_updated_at ?? new Date() };
  }
}

/**
 * Reads the body of POST /init.
 * @throws {AppError} VALIDATION_INVALID_SCHEMA, naming the field.
 */
export function parseAppDraft(body: unknown, regions: readonly string[]): AppDraft {
  const fail = (path: string, message: string): never => {
    throw new AppError("VALIDATION_INVALID_SCHEMA", `Cannot create the app: ${message}`, {
      details: [{ path: [path], message }],
    });
  };
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    fail("", "the body must be a JSON object");
  }
  const { name, subdomain = null, region = null } = body as Record<string, unknown>;
  const text = typeof name === "number" ? String(name) : name;
  if (typeof text !== "string" || !nameForm.test(text)) {
    return fail(
      "name",
      "name must be 1 to 63 lower-case letters, digits, hyphens and underscores, and begin with a letter or digit",
    );
  }
  if (subdomain !== null && (typeof subdomain !== "string" || !subdomainForm.test(subdomain))) {
    return fail("subdomain", "subdomain must be 1 to 63 lower-case letters, digits and inner hyphens");
  }
  if (region !== null && (typeof region !== "string" || !regions.includes(region))) {
    return fail("region", `region must be one of ${regions.join(", ")}`);
  }
  return { name: text, subdomain, region } as AppDraft;
}

/**
 * Reads the body of PATCH config/cors, in either spelling.
 * @throws {AppError} VALIDATION_INVALID_SCHEMA, naming the origin that is wrong.
 */
export function parseAllowedOrigins(body: unknown): string[] {
  const given = (body ?? {}) as Record<string, unknown>;
  const origins = given["allowed_origins"] ?? given["allowedOrigins"];
  const fail = (message: string): never => {
    throw new AppError("VALIDATION_INVALID_SCHEMA", `Cannot set the allowed origins: ${message}`, {
      details: [{ path: ["allowed_origins"], message }],
    });
  };
  if (!Array.isArray(origins) || origins.length === 0) {
    return fail("allowed_origins must be an array of at least one URL");
  }
  return origins.map((origin) =>
    originOf(origin) ??
      fail(`${JSON.stringify(origin).slice(0, 200)} is not an origin, as https://app.example.com is`)
  );
}

/** What a browser sends as `Origin` from there, or `null` when it would send none. */
function originOf(text: unknown): string | null {
  const url = typeof text === "string" ? URL.parse(text) : null;
  if (url === null) return null;
  if (url.origin !== "null") return url.origin;
  // Web views say `capacitor://localhost` and the like, which URL takes for no origin.
  return url.host === "" ? null : `${url.protocol}//${url.host}`;
}
