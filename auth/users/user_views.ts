// End users as they and their apps' owners see them: names and case are the contract's.

import type { EndUserRow, ListedEndUser } from "../../db/queries/end_users.ts";

/** The user in the answer of a sign-in. */
export function signedInUser({ id, email, email_verified, display_name, avatar_url }: EndUserRow) {
  return { id, email, email_verified, display_name, avatar_url };
}

export type SignedInUser = ReturnType<typeof signedInUser>;

/** Right after sign-up. */
export function newUser({ id, email, email_verified, display_name }: EndUserRow) {
  return { id, email, email_verified, display_name };
}

/** `GET me`. */
export function ownUser(user: EndUserRow) {
  return {
    ...signedInUser(user),
    provider: user.provider,
    created_at: user.created_at.toISOString(),
    last_sign_in_at: user.last_sign_in_at?.toISOString() ?? null,
  };
}

/** A row of the owner's list. */
export function listedUser(user: ListedEndUser) {
  return {
    id: user.id,
    email: user.email,
    provider: user.provider,
    provider_uid: user.provider_uid,
    email_verified: user.email_verified,
    display_name: user.display_name,
    blocked: user.blocked_at !== null,
    last_sign_in_at: user.last_sign_in_at?.toISOString() ?? null,
    created_at: user.created_at.toISOString(),
  };
}
