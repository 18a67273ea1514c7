// Sessions of end users and their refresh tokens. A token is known by its hash; it is rotated by one statement, so that
// of two callers with the same token one rotates it and the other finds it rotated.

import type { ISql, Sql } from "postgres";
import type { AppId } from "../../core/ids.ts";
import type { EndUserRow } from "./end_users.ts";

export interface NewSession {
  id: string;
  userId: string;
  tokenHash: Uint8Array;
  days: number;
  checked: CheckedState;
}

/** What the account was when its user was let in, where that counts: no session opens if it has changed meanwhile. */
export interface CheckedState {
  /** The hash that the password was checked against. */
  passwordHash?: string;
  emailVerified?: boolean;
}

/** Opens a session; `null` when the account is gone, blocked, or not as it was checked. */
export async function insertSession(sql: ISql, session: NewSession): Promise<EndUserRow | null> {
  const { id, userId, tokenHash, days, checked: { passwordHash = null, emailVerified = null } } = session;
  const [row] = await sql<EndUserRow[]>`
    with signed_in as (
      update end_users set last_sign_in_at = now(), updated_at = now()
      where id = ${userId} and blocked_at is null
        and (${passwordHash}::text is null or password_hash = ${passwordHash})
        and (${emailVerified}::boolean is null or email_verified = ${emailVerified})
      returning *
    ), session as (
      insert into end_user_sessions (id, app_id, user_id)
      select ${id}, app_id, id from signed_in returning id
    ), token as (
      insert into end_user_refresh_tokens (token_hash, session_id, expires_at)
      select ${tokenHash}, id, now() + make_interval(days => ${days}) from session
    )
    select * from signed_in`;
  return row ?? null;
}

/** The session that the token belongs to, whatever state it is in. */
export async function findSessionOfToken(
  sql: Sql,
  appId: AppId,
  tokenHash: Uint8Array,
): Promise<string | null> {
  const [row] = await sql<{ session_id: string }[]>`
    select t.session_id from end_user_refresh_tokens t join end_user_sessions s on s.id = t.session_id
    where t.token_hash = ${tokenHash} and s.app_id = ${appId}`;
  return row?.session_id ?? null;
}

export interface Rotation {
  appId: AppId;
  tokenHash: Uint8Array;
  successorHash: Uint8Array;
  days: number;
}

/** Puts the successor in the token's place; the account, or `null` for a token that is no longer the present one. */
export async function rotateToken(sql: Sql, rotation: Rotation): Promise<EndUserRow | null> {
  const { appId, tokenHash, successorHash, days } = rotation;
  const [row] = await sql<EndUserRow[]>`
    with rotated as (
      update end_user_refresh_tokens t set rotated_at = now(), successor_hash = ${successorHash}
      from end_user_sessions s join end_users u on u.id = s.user_id
      where t.token_hash = ${tokenHash} and t.rotated_at is null and t.expires_at > now()
        and s.id = t.session_id and s.app_id = ${appId} and s.revoked_at is null and u.blocked_at is null
      returning t.session_id, s.user_id
    ), successor as (
      insert into end_user_refresh_tokens (token_hash, session_id, expires_at)
      select ${successorHash}, session_id, now() + make_interval(days => ${days}) from rotated
    )
    select u.* from rotated join end_users u on u.id = rotated.user_id`;
  return row ?? null;
}

export interface RotatedToken {
  session_id: string;
  user: EndUserRow;
  /** It was rotated a moment ago, and nobody has used the successor. */
  just_rotated: boolean;
}

/** A token that has a successor, in a session that goes on. */
export async function findRotatedToken(
  sql: Sql,
  { appId, tokenHash, graceSeconds }: { appId: AppId; tokenHash: Uint8Array; graceSeconds: number },
): Promise<RotatedToken | null> {
  const [row] = await sql<(EndUserRow & { session_id: string; just_rotated: boolean })[]>`
    select u.*, t.session_id,
      t.rotated_at > now() - make_interval(secs => ${graceSeconds})
        and coalesce(successor.rotated_at is null, false) as just_rotated
    from end_user_refresh_tokens t
      join end_user_sessions s on s.id = t.session_id
      join end_users u on u.id = s.user_id
      left join end_user_refresh_tokens successor on successor.token_hash = t.successor_hash
    where t.token_hash = ${tokenHash} and t.rotated_at is not null and t.expires_at > now()
      and s.app_id = ${appId} and s.revoked_at is null and u.blocked_at is null`;
  if (row === undefined) return null;
  const { session_id, just_rotated, ...user } = row;
  return { session_id, just_rotated, user };
}

export async function revokeSession(sql: Sql, id: string): Promise<void> {
  await sql`update end_user_sessions set revoked_at = now() where id = ${id} and revoked_at is null`;
}

export async function revokeSessionsOf(sql: ISql, appId: AppId, userId: string): Promise<void> {
  await sql`
    update end_user_sessions set revoked_at = now()
    where app_id = ${appId} and user_id = ${userId} and revoked_at is null`;
}

/** Forgets tokens that have expired, and sessions of which none is left. */
export async function purgeSessions(sql: Sql): Promise<void> {
  await sql`delete from end_user_refresh_tokens where expires_at < now()`;
  await sql`
    delete from end_user_sessions s where s.created_at < now() - interval '1 minute' and not exists (
      select 1 from end_user_refresh_tokens t where t.session_id = s.id)`;
}
