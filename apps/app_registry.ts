// The apps as this node knows them: read once, kept until a notice says that they changed. A call of a warm function
// asks PostgreSQL nothing.

import { type AppEgress, appEgress } from "../core/egress/app_egress.ts";
import { type AccountId, type AppId, parseAppId } from "../core/ids.ts";
import { Lru } from "../core/lru.ts";
import type { Sealer } from "../core/sealing.ts";
import type { Notices, Sql } from "../db/mod.ts";
import { type AppRow, findApp, type ProvisioningStatus } from "../db/queries/apps.ts";
import type { AccessMode } from "./auth_settings.ts";
import { appEnvPlace, type Env, openEnv } from "./env.ts";

export interface App {
  readonly id: AppId;
  readonly ownerId: AccountId;
  readonly name: string;
  readonly subdomain: string;
  readonly databaseName: string;
  readonly region: string;
  readonly provisioning: { readonly status: ProvisioningStatus; readonly error: string | null };
  readonly paused: { readonly at: Date; readonly reason: string | null } | null;
  readonly allowedOrigins: readonly string[];
  readonly accessMode: AccessMode;
  readonly anonKey: string;
  readonly egress: AppEgress;
  readonly auth: { accessTokenTtl: string; refreshTokenTtlDays: number; hookFunction: string | null };
  readonly env: Readonly<Env>;
  readonly envUpdatedAt: Date | null;
  /** Changes with every change of the app. */
  readonly revision: string;
  /** The row as it is stored, for the pages that show all of it. */
  readonly row: AppRow;
}

export interface AppRegistry {
  /** The app, or `null` when there is none. */
  find(id: string): Promise<App | null> | App | null;
  /** Tells every node that the app changed. */
  changed(id: AppId): Promise<void>;
  /** Called on this node for each change, whichever node made it; `null` when any app may have changed. */
  onChange(handler: (id: AppId | null) => void): void;
}

const topic = "apps";

export interface AppRegistryParts {
  sql: Sql;
  notices: Notices;
  sealer: Sealer;
}

export async function createAppRegistry({ sql, notices, sealer }: AppRegistryParts): Promise<AppRegistry> {
  const known = new Lru<string, { app: App | null }>(10_000);
  const handlers: ((id: AppId | null) => void)[] = [];
  // A read that began before a change must not be kept after it.
  let epoch = 0;

  function forget(id: AppId | null): void {
    epoch++;
    if (id === null) known.clear();
    else known.delete(id);
    for (const handler of handlers) handler(id);
  }
  await notices.subscribe(topic, (payload) => forget(parseAppId(payload) ?? null));
  notices.onReconnect(() => forget(null));

  async function load(id: AppId): Promise<App | null> {
    const started = epoch;
    const row = await findApp(sql, id);
    const app = row === null ? null : await appOf(row, sealer);
    if (started === epoch) known.set(id, { app });
    return app;
  }

  return {
    find(text) {
      const entry = known.get(text);
      if (entry !== undefined) return entry.app;
      const id = parseAppId(text);
      return id === undefined ? null : load(id);
    },
    async changed(id) {
      forget(id);
      await notices.publish(topic, id);
    },
    onChange: (handler) => void handlers.push(handler),
  };
}

async function appOf(row: AppRow, sealer: Sealer): Promise<App> {
  return {
    id: row.id,
    ownerId: row.owner_id,
    name: row.name,
    subdomain: row.subdomain,
    databaseName: row.db_name,
    region: row.region,
    provisioning: { status: row.provisioning_status, error: row.provisioning_error },
    paused: row.paused_at === null ? null : { at: row.paused_at, reason: row.paused_reason },
    allowedOrigins: row.allowed_origins,
    accessMode: row.access_mode === "authenticated" ? "authenticated" : "public",
    anonKey: row.anon_key,
    egress: appEgress(row.egress_allow, row.egress_deny),
    auth: {
      accessTokenTtl: row.access_token_ttl,
      refreshTokenTtlDays: row.refresh_token_ttl_days,
      hookFunction: row.auth_hook_function,
    },
    env: Object.freeze(await openEnv(sealer, row.env_sealed, appEnvPlace(row.id))),
    envUpdatedAt: row.env_updated_at,
    revision: row.revision,
    row,
  };
}
