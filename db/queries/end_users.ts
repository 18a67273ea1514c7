// End users of apps at rest. Addresses are compared by `email_key`; the hash of a password never leaves this page's
// callers.

import type { ISql, Sql } from "postgres";
import type { AppId } from "../../core/ids.ts";

export interface EndUserRow {
  id: string;
  app_id: AppId;
  email: string;
  email_verified: boolean;
  password_hash: string | null;
  provider: string;
  display_name: string | null;
  avatar_url: string | null;
  blocked_at: Date | null;
  last_sign_in_at: Date | null;
  created_at: Date;
}

export interface NewEndUser {
  id: string;
  app_id: AppId;
  email: string;
  email_key: string;
  email_verified: boolean;
  password_hash: string | null;
  provider: string;
  display_name: string | null;
  avatar_url: string | null;
}

/** `null` when the address has an account in the app. */
export async function insertEndUser(sql: ISql, user: NewEndUser): Promise<EndUserRow | null> {
  const [row] = await sql<EndUserRow[]>`
    insert into end_users ${sql(user)} on conflict (app_id, email_key) do nothing returning *`;
  return row ?? null;
}

export async function findEndUser(sql: ISql, appId: AppId, id: string): Promise<EndUserRow | null> {
  const [row] = await sql<EndUserRow[]>`select * from end_users where app_id = ${appId} and id = ${id}`;
  return row ?? null;
}

export async function findEndUserByEmail(
  sql: ISql,
  appId: AppId,
  emailKey: string,
): Promise<EndUserRow | null> {
  const [row] = await sql<EndUserRow[]>`
    select * from end_users where app_id = ${appId} and email_key = ${emailKey}`;
  return row ?? null;
}

/** The same, and nobody else changes the account until the transaction ends. */
export async function lockEndUserByEmail(
  tx: ISql,
  appId: AppId,
  emailKey: string,
): Promise<EndUserRow | null> {
  const [row] = await tx<EndUserRow[]>`
    select * from end_users where app_id = ${appId} and email_key = ${emailKey} for update`;
  return row ?? null;
}

/** Puts a new hash in the place of the one that was checked, unless another came meanwhile. */
export async function replacePasswordHash(
  sql: Sql,
  userId: string,
  { former, hash }: { former: string; hash: string },
): Promise<void> {
  await sql`
    update end_users set password_hash = ${hash}, updated_at = now()
    where id = ${userId} and password_hash = ${former}`;
}

export async function setPasswordHash(sql: ISql, userId: string, hash: string): Promise<void> {
  await sql`update end_users set password_hash = ${hash}, updated_at = now() where id = ${userId}`;
}

export async function setEmailVerified(sql: ISql, userId: string): Promise<void> {
  await sql`update end_users set email_verified = true, updated_at = now() where id = ${userId}`;
}

/**
 * The address's owner has come: what somebody else may have prepared under an unproven address ends. Whoever signed up
 * with it keeps no password, no session and no identity there.
 */
export async function claimAddress(tx: ISql, userId: string): Promise<void> {
  await tx`
    update end_users set email_verified = true, password_hash = null, updated_at = now() where id = ${userId}`;
  await tx`delete from end_user_identities where user_id = ${userId}`;
  await tx`
    update end_user_sessions set revoked_at = now() where user_id = ${userId} and revoked_at is null`;
  await tx`delete from end_user_codes where user_id = ${userId} and used_at is null`;
}

export interface Identity {
  appId: AppId;
  provider: string;
  providerUid: string;
}

/** The account with this identity; nobody else changes it until the transaction ends. */
export async function lockEndUserByIdentity(tx: ISql, identity: Identity): Promise<EndUserRow | null> {
  const { appId, provider, providerUid } = identity;
  const [row] = await tx<EndUserRow[]>`
    select u.* from end_user_identities i join end_users u on u.id = i.user_id
    where i.app_id = ${appId} and i.provider = ${provider} and i.provider_uid = ${providerUid}
    for update of u`;
  return row ?? null;
}

/** `false` when the identity is another account's, or the account has another identity of this provider. */
export async function insertIdentity(tx: ISql, userId: string, identity: Identity): Promise<boolean> {
  const { appId, provider, providerUid } = identity;
  const rows = await tx`
    insert into end_user_identities (app_id, provider, provider_uid, user_id)
    values (${appId}, ${provider}, ${providerUid}, ${userId}) on conflict do nothing returning user_id`;
  return rows.length > 0;
}

/** What a provider says of somebody known; a field that it leaves out stays. */
export async function updateProfile(
  tx: ISql,
  userId: string,
  profile: { displayName: string | null; avatarUrl: string | null },
): Promise<EndUserRow> {
  const [row] = await tx<EndUserRow[]>`
    update end_users set updated_at = now(), display_name = coalesce(${profile.displayName}, display_name),
      avatar_url = coalesce(${profile.avatarUrl}, avatar_url)
    where id = ${userId} returning *`;
  return row as EndUserRow;
}

/** Moves the account to the address that its provider vouches for, unless another account has it. */
export async function moveAddress(
  tx: ISql,
  user: { id: string; app_id: AppId },
  { email, emailKey }: { email: string; emailKey: string },
): Promise<void> {
  await tx`
    update end_users set email = ${email}, email_key = ${emailKey}, email_verified = true, updated_at = now()
    where id = ${user.id} and not exists (
      select 1 from end_users other
      where other.app_id = ${user.app_id} and other.email_key = ${emailKey} and other.id <> ${user.id})`;
}

export interface ListedEndUser {
  id: string;
  email: string;
  provider: string;
  provider_uid: string | null;
  email_verified: boolean;
  display_name: string | null;
  blocked_at: Date | null;
  last_sign_in_at: Date | null;
  created_at: Date;
  /** With all its digits, which a Date does not hold. */
  created: string;
}

export interface EndUserPage {
  limit: number;
  /** The last one of the page before. */
  after: { created: string; id: string } | null;
  /** Part of the address. */
  search: string | null;
}

/** Newest first. */
export async function listEndUsers(
  sql: Sql,
  appId: AppId,
  { limit, after, search }: EndUserPage,
): Promise<ListedEndUser[]> {
  return await sql<ListedEndUser[]>`
    select u.id, u.email, u.provider, i.provider_uid, u.email_verified, u.display_name, u.blocked_at,
      u.last_sign_in_at, u.created_at, extract(epoch from u.created_at)::text as created
    from end_users u left join end_user_identities i on i.user_id = u.id and i.provider = u.provider
    where u.app_id = ${appId}
      and (${search}::text is null or strpos(u.email_key, ${search}) > 0)
      and (${after?.created ?? null}::text is null
        or (u.created_at, u.id) < (to_timestamp(0) + ${after?.created ?? null}::numeric * interval '1 second',
          ${after?.id ?? null}::uuid))
    order by u.created_at desc, u.id desc limit ${limit}`;
}

/** Takes the account away with all that hangs on it; its address, or `null` when there is none. */
export async function deleteEndUser(sql: Sql, appId: AppId, id: string): Promise<string | null> {
  const [row] = await sql<{ email: string }[]>`
    delete from end_users where app_id = ${appId} and id = ${id} returning email`;
  return row?.email ?? null;
}

/** Blocks the account and ends its sessions, or lets it in again; `null` when there is none. */
export async function setBlocked(
  sql: Sql,
  { appId, id, blocked }: { appId: AppId; id: string; blocked: boolean },
): Promise<EndUserRow | null> {
  const [row] = await sql<EndUserRow[]>`
    with changed as (
      update end_users set updated_at = now(),
        blocked_at = case when ${blocked} then coalesce(blocked_at, now()) end
      where app_id = ${appId} and id = ${id} returning *
    ), ended as (
      update end_user_sessions s set revoked_at = now() from changed
      where ${blocked} and s.user_id = changed.id and s.revoked_at is null
    )
    select * from changed`;
  return row ?? null;
}

/** Everything about the users of an app that was deleted. */
export async function forgetEndUsers(tx: ISql, appId: AppId): Promise<void> {
  await tx`delete from end_users where app_id = ${appId}`;
}
