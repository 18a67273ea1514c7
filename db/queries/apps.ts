// Apps in the control database.

import type { Sql } from "postgres";
import type { AccountId, AppId } from "../../core/ids.ts";
import { transaction } from "../transaction.ts";
import { forgetEndUsers } from "./end_users.ts";
import { forgetOAuthProviders } from "./oauth_providers.ts";

export type ProvisioningStatus = "provisioning" | "ready" | "failed" | "deleting";

export interface AppRow {
  id: AppId;
  owner_id: AccountId;
  name: string;
  subdomain: string;
  db_name: string;
  region: string;
  provisioning_status: ProvisioningStatus;
  provisioning_error: string | null;
  visibility: string;
  listed: boolean;
  allowed_origins: string[];
  storage_config: Record<string, unknown>;
  access_token_ttl: string;
  refresh_token_ttl_days: number;
  auth_hook_function: string | null;
  access_mode: string;
  egress_allow: string[] | null;
  egress_deny: string[];
  paused_at: Date | null;
  paused_reason: string | null;
  anon_key: string;
  env_sealed: string | null;
  env_updated_at: Date | null;
  revision: string;
  created_at: Date;
  updated_at: Date;
}

export interface NewApp {
  id: AppId;
  owner_id: AccountId;
  name: string;
  subdomain: string;
  db_name: string;
  region: string;
  anon_key: string;
}

/** Adds the app; `null` when the owner has one of this name, or the subdomain is taken. */
export async function insertApp(sql: Sql, app: NewApp): Promise<AppRow | null> {
  const [row] = await sql<AppRow[]>`
    insert into apps ${sql(app, "id", "owner_id", "name", "subdomain", "db_name", "region", "anon_key")}
    on conflict do nothing returning *`;
  return row ?? null;
}

export async function findApp(sql: Sql, id: string): Promise<AppRow | null> {
  const [row] = await sql<AppRow[]>`select * from apps where id = ${id} and deleted_at is null`;
  return row ?? null;
}

export async function findAppByName(
  sql: Sql,
  { ownerId, region, name }: { ownerId: AccountId; region: string; name: string },
): Promise<AppRow | null> {
  const [row] = await sql<AppRow[]>`
    select * from apps where owner_id = ${ownerId} and region = ${region} and name = ${name} and deleted_at is null`;
  return row ?? null;
}

export async function isSubdomainTaken(sql: Sql, subdomain: string): Promise<boolean> {
  const rows = await sql`select 1 from apps where subdomain = ${subdomain} and deleted_at is null`;
  return rows.length > 0;
}

/** Apps of one owner, or of all when `ownerId` is null; newest first. */
export async function listApps(sql: Sql, ownerId: AccountId | null): Promise<AppRow[]> {
  return await sql<AppRow[]>`
    select * from apps
    where deleted_at is null and (${ownerId}::uuid is null or owner_id = ${ownerId})
    order by created_at desc, id desc`;
}

/** Apps whose provisioning or deletion was interrupted. */
export async function listUnfinishedApps(sql: Sql): Promise<AppRow[]> {
  return await sql<AppRow[]>`
    select * from apps where provisioning_status in ('provisioning', 'deleting') and deleted_at is null
    union all
    select * from apps where provisioning_status = 'deleting' and deleted_at is not null`;
}

/** `false` when the app was deleted meanwhile; its state stays as it is then. */
export async function setProvisioning(
  sql: Sql,
  id: AppId,
  { status, error }: { status: ProvisioningStatus; error: string | null },
): Promise<boolean> {
  const rows = await sql`
    update apps set provisioning_status = ${status}, provisioning_error = ${error}, updated_at = now()
    where id = ${id} and deleted_at is null returning id`;
  return rows.length > 0;
}

/** The app disappears for everyone at once; its database is dropped afterwards. */
export async function markAppDeleted(sql: Sql, id: AppId): Promise<void> {
  await sql`
    update apps set deleted_at = now(), provisioning_status = 'deleting', updated_at = now(), revision = revision + 1
    where id = ${id} and deleted_at is null`;
}

/** No secret and no trigger of the deleted app is left. Its row keeps its id from being given again. */
export async function forgetApp(sql: Sql, id: AppId): Promise<void> {
  await transaction(sql, async (tx) => {
    await tx`update apps set env_sealed = null, anon_key = '', provisioning_status = 'deleted' where id = ${id}`;
    await tx`delete from app_signing_keys where app_id = ${id}`;
    await forgetEndUsers(tx, id);
    await forgetOAuthProviders(tx, id);
    await tx`
      update functions set env_sealed = null, deleted_at = coalesce(deleted_at, now()), updated_at = now()
      where app_id = ${id}`;
    await tx`delete from function_triggers where app_id = ${id}`;
  });
}

/** What a PATCH of the app's configuration may change. */
export type AppChange = Partial<
  Pick<
    AppRow,
    | "allowed_origins"
    | "storage_config"
    | "access_token_ttl"
    | "refresh_token_ttl_days"
    | "auth_hook_function"
    | "access_mode"
    | "visibility"
    | "listed"
    | "egress_allow"
    | "egress_deny"
    | "paused_at"
    | "paused_reason"
    | "env_sealed"
    | "env_updated_at"
  >
>;

export async function updateApp(sql: Sql, id: AppId, change: AppChange): Promise<AppRow | null> {
  const { storage_config: storage, ...plain } = change;
  const values = {
    ...plain,
    ...(storage === undefined ? {} : { storage_config: sql.json(storage as never) }),
  };
  const [row] = await sql<AppRow[]>`
    update apps set ${sql(values as Record<string, never>)}, updated_at = now(), revision = revision + 1
    where id = ${id} and deleted_at is null returning *`;
  return row ?? null;
}

/** Changes the sealed env in one step: concurrent merges follow one another. */
export async function updateAppEnv(
  sql: Sql,
  id: AppId,
  merge: (sealed: string | null) => Promise<string>,
): Promise<AppRow | null> {
  return await transaction(sql, async (tx) => {
    const [row] = await tx<{ env_sealed: string | null }[]>`
      select env_sealed from apps where id = ${id} and deleted_at is null for update`;
    if (row === undefined) return null;
    const sealed = await merge(row.env_sealed);
    const [updated] = await tx<AppRow[]>`
      update apps set env_sealed = ${sealed}, env_updated_at = now(), updated_at = now(), revision = revision + 1
      where id = ${id} returning *`;
    return updated ?? null;
  });
}
