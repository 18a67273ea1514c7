// Who is asking. The server decides it once, from the credential; nothing that a function says can change it.

import type { AccountId, AppId, KeyId } from "./ids.ts";

/** What a platform key may touch: everything of its account, or one app. */
export type KeyReach = { kind: "account" } | { kind: "app"; appId: AppId };

/** A developer or operator, by platform key. */
export interface PlatformPrincipal {
  kind: "platform";
  accountId: AccountId;
  /** May see every app and manage accounts: the first owner's account, by a key with the `*` scope. */
  operator: boolean;
  keyId: KeyId;
  reach: KeyReach;
  scopes: readonly string[];
}

/** Somebody signed in to an app. */
export interface EndUserPrincipal {
  kind: "end_user";
  appId: AppId;
  userId: string;
  email: string | null;
  claims: Readonly<Record<string, unknown>>;
}

export type Principal = PlatformPrincipal | EndUserPrincipal | { kind: "anonymous" };

/** PostgreSQL role that an app's SQL runs as; each is a login of its own. */
export type DatabaseRole = "butterbase_user" | "butterbase_anon" | "butterbase_service";

/** Role and claims of a transaction in an app's database, decided by the server. */
export interface DatabaseIdentity {
  role: DatabaseRole;
  /** `request.jwt.claim.sub`, only for `butterbase_user`. */
  userId: string | null;
  /** Verified claims of the user's token, `request.jwt.claims`; `null` when there is none. */
  claims: Readonly<Record<string, unknown>> | null;
}

export const serviceIdentity: DatabaseIdentity = { role: "butterbase_service", userId: null, claims: null };
export const anonymousIdentity: DatabaseIdentity = { role: "butterbase_anon", userId: null, claims: null };

/** Identity of an end user; `claims` when a verified token gave them. */
export function userIdentity(
  userId: string,
  claims: Readonly<Record<string, unknown>> | null = null,
): DatabaseIdentity {
  return { role: "butterbase_user", userId, claims };
}
