// The codes that mails carry, by their hash.

import type { ISql, Sql } from "postgres";
import type { AppId } from "../../core/ids.ts";

export type CodeKind = "email_verify" | "password_reset" | "magic_link";

/** Gives the account a code of this kind; a former one counts no more. */
export async function putCode(
  sql: ISql,
  code: { userId: string; kind: CodeKind; hash: Uint8Array; lifeSeconds: number },
): Promise<void> {
  const { userId, kind, hash, lifeSeconds } = code;
  await sql`
    insert into end_user_codes (user_id, kind, code_hash, expires_at)
    values (${userId}, ${kind}, ${hash}, now() + make_interval(secs => ${lifeSeconds}))
    on conflict (user_id, kind) do update set code_hash = excluded.code_hash, attempts = 0, used_at = null,
      created_at = now(), expires_at = excluded.expires_at`;
}

export interface TriedCode {
  user_id: string;
  code_hash: Uint8Array;
  /** This one counted. */
  attempts: number;
  used: boolean;
  expired: boolean;
}

/** Counts an attempt before anybody compares; `null` when there is no such account, or it has no code. */
export async function tryCode(
  sql: Sql,
  { appId, emailKey, kind }: { appId: AppId; emailKey: string; kind: CodeKind },
): Promise<TriedCode | null> {
  const [row] = await sql<TriedCode[]>`
    update end_user_codes c set attempts = c.attempts + 1 from end_users u
    where u.app_id = ${appId} and u.email_key = ${emailKey} and c.user_id = u.id and c.kind = ${kind}
    returning c.user_id, c.code_hash, c.attempts, c.used_at is not null as used, c.expires_at <= now() as expired`;
  return row ?? null;
}

/** Uses the code up: `true` for one caller only. */
export async function useCode(
  sql: ISql,
  { userId, kind, hash }: { userId: string; kind: CodeKind; hash: Uint8Array },
): Promise<boolean> {
  const rows = await sql`
    update end_user_codes set used_at = now()
    where user_id = ${userId} and kind = ${kind} and code_hash = ${hash} and used_at is null and expires_at > now()
    returning user_id`;
  return rows.length > 0;
}

/** Forgets codes a week after they expired: until then their owner is told that they have. */
export async function purgeCodes(sql: Sql): Promise<void> {
  await sql`delete from end_user_codes where expires_at < now() - interval '7 days'`;
}
