// The keys that an app's end users' tokens are signed with. One signs; former ones verify for a while.

import type { ISql, Sql } from "postgres";
import type { AppId } from "../../core/ids.ts";

export interface SigningKeyRow {
  id: string;
  public_jwk: Record<string, unknown>;
  private_sealed: string;
  created_at: Date;
  retired_at: Date | null;
  verifies_until: Date | null;
}

/** Keys that tokens of the app may be signed with, newest first; the one that is not retired signs. */
export async function listSigningKeys(sql: Sql, appId: AppId): Promise<SigningKeyRow[]> {
  return await sql<SigningKeyRow[]>`
    select id, public_jwk, private_sealed, created_at, retired_at, verifies_until from app_signing_keys
    where app_id = ${appId} and (verifies_until is null or verifies_until > now())
    order by retired_at is null desc, created_at desc, id`;
}

/** Adds the signing key, unless the app has one by now. */
export async function insertSigningKey(
  sql: ISql,
  key: { id: string; app_id: AppId; public_jwk: Record<string, unknown>; private_sealed: string },
): Promise<void> {
  await sql`
    insert into app_signing_keys (id, app_id, public_jwk, private_sealed)
    values (${key.id}, ${key.app_id}, ${sql.json(key.public_jwk as never)}, ${key.private_sealed})
    on conflict (app_id) where retired_at is null do nothing`;
}

/** The app's keys sign no more, and lose what they signed with; they verify for so many seconds yet. */
export async function retireSigningKeys(tx: ISql, appId: AppId, verifySeconds: number): Promise<void> {
  await tx`
    update app_signing_keys set retired_at = coalesce(retired_at, now()), private_sealed = '',
      verifies_until = least(verifies_until, now() + make_interval(secs => ${verifySeconds}))
    where app_id = ${appId}`;
}

/** Keys that verify nothing any more. */
export async function purgeSigningKeys(sql: Sql): Promise<void> {
  await sql`delete from app_signing_keys where verifies_until < now()`;
}
