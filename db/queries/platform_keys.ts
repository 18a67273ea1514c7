// Platform keys at rest: the hash, never the key.

import type { Sql } from "postgres";
import type { AccountId, KeyId } from "../../core/ids.ts";

export interface PlatformKeyRow {
  id: KeyId;
  account_id: AccountId;
  name: string;
  key_prefix: string;
  scopes: string[];
  last_used_at: Date | null;
  expires_at: Date | null;
  created_at: Date;
}

export interface NewPlatformKey {
  id: KeyId;
  account_id: AccountId;
  name: string;
  key_hash: string;
  key_prefix: string;
  scopes: string[];
}

export async function insertPlatformKey(sql: Sql, key: NewPlatformKey): Promise<void> {
  await sql`
    insert into platform_keys ${sql(key, "id", "account_id", "name", "key_hash", "key_prefix", "scopes")}`;
}

/** The key with this hash and its account, if both may be used. */
export async function findPlatformKey(
  sql: Sql,
  hash: string,
): Promise<{ id: KeyId; account_id: AccountId; scopes: string[]; operator: boolean } | null> {
  const [row] = await sql<{ id: KeyId; account_id: AccountId; scopes: string[]; operator: boolean }[]>`
    select k.id, k.account_id, k.scopes, a.operator
    from platform_keys k join accounts a on a.id = k.account_id
    where k.key_hash = ${hash} and k.revoked_at is null and a.disabled_at is null
      and (k.expires_at is null or k.expires_at > now())`;
  return row ?? null;
}

export async function touchPlatformKey(sql: Sql, id: KeyId): Promise<void> {
  await sql`update platform_keys set last_used_at = now() where id = ${id}`;
}

/** Keys of the account that are not revoked, newest first. */
export async function listPlatformKeys(sql: Sql, accountId: AccountId): Promise<PlatformKeyRow[]> {
  return await sql<PlatformKeyRow[]>`
    select id, account_id, name, key_prefix, scopes, last_used_at, expires_at, created_at
    from platform_keys where account_id = ${accountId} and revoked_at is null
    order by created_at desc, id desc`;
}

/** `null` when the account has no such key, or it is revoked already. */
export async function revokePlatformKey(
  sql: Sql,
  accountId: AccountId,
  id: string,
): Promise<{ key_hash: string } | null> {
  const [row] = await sql<{ key_hash: string }[]>`
    update platform_keys set revoked_at = now()
    where id = ${id} and account_id = ${accountId} and revoked_at is null returning key_hash`;
  return row ?? null;
}
