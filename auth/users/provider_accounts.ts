// Which account a provider's identity belongs to. An address is believed only when the provider says that it has verified
// it: otherwise anybody could take an account over by giving its address to some provider.

import { AppError } from "../../core/errors.ts";
import { type Sql, transaction } from "../../db/mod.ts";
import {
  claimAddress,
  type EndUserRow,
  findEndUser,
  type Identity,
  insertEndUser,
  insertIdentity,
  lockEndUserByEmail,
  lockEndUserByIdentity,
  moveAddress,
  updateProfile,
} from "../../db/queries/end_users.ts";
import type { AuthApp } from "./auth_app.ts";
import { type EmailAddress, parseEmail } from "./email_address.ts";

/** Somebody as a provider describes them, after its answer was checked. */
export interface ProviderProfile {
  provider: string;
  /** The provider's own id of the person; never an address. */
  providerUid: string;
  email: string;
  /** Whether the provider vouches that the address is this person's. */
  emailVerified: boolean;
  displayName: string | null;
  avatarUrl: string | null;
}

type Transaction = Parameters<Parameters<typeof transaction>[1]>[0];

/**
 * The account of the identity, found, linked by a verified address, or made.
 * @throws {AppError} RESOURCE_CONFLICT when the address has an account that this identity may not enter.
 */
export async function accountOf(
  sql: Sql,
  app: AuthApp,
  said: ProviderProfile,
): Promise<{ user: EndUserRow; isNew: boolean }> {
  const address = parseEmail(said.email);
  if (address === null) throw unusable(said, "e-mail address");
  if (said.providerUid === "" || said.providerUid.length > 500) throw unusable(said, "id of the person");
  const profile = {
    ...said,
    displayName:
      said.displayName?.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ").trim().slice(0, 200).toWellFormed() ||
      null,
    avatarUrl: webAddress(said.avatarUrl),
  };
  const identity: Identity = {
    appId: app.id,
    provider: profile.provider,
    providerUid: profile.providerUid,
  };
  return await transaction(sql, async (tx) => {
    const known = await lockEndUserByIdentity(tx, identity);
    if (known !== null) {
      if (profile.emailVerified && known.provider === profile.provider) await moveAddress(tx, known, address);
      return { user: await updateProfile(tx, known.id, profile), isNew: false };
    }
    const made = await make(tx, app, { profile, address });
    if (made !== null) {
      await link(tx, made, identity);
      return { user: made, isNew: true };
    }
    return { user: await linkByAddress(tx, app, { profile, address, identity }), isNew: false };
  });
}

async function make(
  tx: Transaction,
  app: AuthApp,
  { profile, address }: { profile: ProviderProfile; address: EmailAddress },
): Promise<EndUserRow | null> {
  return await insertEndUser(tx, {
    id: crypto.randomUUID(),
    app_id: app.id,
    email: address.email,
    email_key: address.emailKey,
    email_verified: profile.emailVerified,
    password_hash: null,
    provider: profile.provider,
    display_name: profile.displayName,
    avatar_url: profile.avatarUrl,
  });
}

async function linkByAddress(
  tx: Transaction,
  app: AuthApp,
  { profile, address, identity }: { profile: ProviderProfile; address: EmailAddress; identity: Identity },
): Promise<EndUserRow> {
  const user = await lockEndUserByEmail(tx, app.id, address.emailKey);
  if (user === null) throw conflict(profile, "the account with its address was just changed");
  // The same person's other callback may have been quicker.
  const linked = await lockEndUserByIdentity(tx, identity);
  if (linked !== null) return linked;
  if (!profile.emailVerified) {
    throw conflict(
      profile,
      "its address has an account here, and the provider does not vouch for the address",
    );
  }
  if (!user.email_verified) await claimAddress(tx, user.id);
  await link(tx, user, identity);
  await updateProfile(tx, user.id, {
    displayName: user.display_name ?? profile.displayName,
    avatarUrl: user.avatar_url ?? profile.avatarUrl,
  });
  return await findEndUser(tx, app.id, user.id) as EndUserRow;
}

async function link(tx: Transaction, user: EndUserRow, identity: Identity): Promise<void> {
  if (await insertIdentity(tx, user.id, identity)) return;
  throw conflict(identity, "its address belongs to another identity of the same provider");
}

/** A picture's address, as long as a page may show it. */
function webAddress(text: string | null): string | null {
  const url = text === null || text.length > 2048 ? null : URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : null;
}

function unusable({ provider }: ProviderProfile, what: string): AppError {
  return new AppError("VALIDATION_INVALID_INPUT", `Cannot sign in by ${provider}: it gave no usable ${what}`);
}

function conflict({ provider }: { provider: string }, why: string): AppError {
  return new AppError("RESOURCE_CONFLICT", `Cannot sign in by ${provider}: ${why}`, {
    remediation: "Sign in as before, by password, by a code sent by mail, or by the other identity.",
    details: { reason: "oauth_identity_already_linked" },
  });
}
