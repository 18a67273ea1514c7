// Sign-ins by a provider that are under way, by the hash of what only the browser that began one knows.

import type { Sql } from "postgres";
import type { AppId } from "../../core/ids.ts";

export interface OAuthSignInKey {
  stateHash: Uint8Array;
  appId: AppId;
  provider: string;
}

export interface OAuthSignInPlaces {
  /** Where the provider answers. */
  redirectUri: string;
  /** Where the tokens go, or `null` for the answer's body. */
  redirectTo: string | null;
}

export async function insertOAuthSignIn(
  sql: Sql,
  { stateHash, appId, provider }: OAuthSignInKey,
  { redirectUri, redirectTo, lifeSeconds }: OAuthSignInPlaces & { lifeSeconds: number },
): Promise<void> {
  await sql`
    insert into oauth_sign_ins (state_hash, app_id, provider, redirect_uri, redirect_to, expires_at)
    values (${stateHash}, ${appId}, ${provider}, ${redirectUri}, ${redirectTo},
      now() + make_interval(secs => ${lifeSeconds}))`;
}

/** Takes the sign-in out, for one caller only; `null` when there is none of this app and provider. */
export async function takeOAuthSignIn(
  sql: Sql,
  { stateHash, appId, provider }: OAuthSignInKey,
): Promise<OAuthSignInPlaces | null> {
  const [row] = await sql<{ redirect_uri: string; redirect_to: string | null }[]>`
    delete from oauth_sign_ins
    where state_hash = ${stateHash} and app_id = ${appId} and provider = ${provider} and expires_at > now()
    returning redirect_uri, redirect_to`;
  return row === undefined ? null : { redirectUri: row.redirect_uri, redirectTo: row.redirect_to };
}

/** Forgets those that nobody finished in time. */
export async function purgeOAuthSignIns(sql: Sql): Promise<void> {
  await sql`delete from oauth_sign_ins where expires_at < now()`;
}
