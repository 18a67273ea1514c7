// What an app's owner says of a provider.

import type { ISql, Sql } from "postgres";
import type { AppId } from "../../core/ids.ts";

export interface OAuthProviderRow {
  id: string;
  app_id: AppId;
  provider: string;
  client_id: string;
  secrets_sealed: string;
  redirect_uris: string[];
  /** `null`, here and in the URLs: as the platform knows the provider. */
  scopes: string[] | null;
  authorization_url: string | null;
  token_url: string | null;
  userinfo_url: string | null;
  metadata: Record<string, unknown>;
  enabled: boolean;
  created_at: Date;
}

export type OAuthProviderFields = Omit<
  OAuthProviderRow,
  "id" | "app_id" | "provider" | "enabled" | "created_at"
>;

/** Adds the provider, or gives the one that is there these fields; whether it is enabled stays. */
export async function putOAuthProvider(
  sql: Sql,
  { appId, provider }: { appId: AppId; provider: string },
  fields: OAuthProviderFields,
): Promise<OAuthProviderRow> {
  const columns = { ...fields, metadata: sql.json(fields.metadata as never) };
  const [row] = await sql<OAuthProviderRow[]>`
    insert into app_oauth_providers ${sql({ id: crypto.randomUUID(), app_id: appId, provider, ...columns })}
    on conflict (app_id, provider) do update set ${sql(columns)}, updated_at = now()
    returning *`;
  return row as OAuthProviderRow;
}

export async function listOAuthProviders(sql: Sql, appId: AppId): Promise<OAuthProviderRow[]> {
  return await sql<OAuthProviderRow[]>`
    select * from app_oauth_providers where app_id = ${appId} order by provider`;
}

export async function findOAuthProvider(
  sql: Sql,
  appId: AppId,
  provider: string,
): Promise<OAuthProviderRow | null> {
  const [row] = await sql<OAuthProviderRow[]>`
    select * from app_oauth_providers where app_id = ${appId} and provider = ${provider}`;
  return row ?? null;
}

/** The same, and nobody else changes it until the transaction ends. */
export async function lockOAuthProvider(
  tx: ISql,
  appId: AppId,
  provider: string,
): Promise<OAuthProviderRow | null> {
  const [row] = await tx<OAuthProviderRow[]>`
    select * from app_oauth_providers where app_id = ${appId} and provider = ${provider} for update`;
  return row ?? null;
}

export async function updateOAuthProvider(
  tx: ISql,
  id: string,
  fields: OAuthProviderFields & { enabled: boolean },
): Promise<OAuthProviderRow> {
  const columns = { ...fields, metadata: tx.json(fields.metadata as never) };
  const [row] = await tx<OAuthProviderRow[]>`
    update app_oauth_providers set ${tx(columns)}, updated_at = now() where id = ${id} returning *`;
  return row as OAuthProviderRow;
}

/** `false` when there was none. */
export async function deleteOAuthProvider(sql: Sql, appId: AppId, provider: string): Promise<boolean> {
  const rows = await sql`
    delete from app_oauth_providers where app_id = ${appId} and provider = ${provider} returning id`;
  return rows.length > 0;
}

/** Everything about the providers of an app that was deleted. */
export async function forgetOAuthProviders(tx: ISql, appId: AppId): Promise<void> {
  await tx`delete from app_oauth_providers where app_id = ${appId}`;
  await tx`delete from oauth_sign_ins where app_id = ${appId}`;
}
