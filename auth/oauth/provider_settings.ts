// The providers of an app as its owner sets them. Secrets are sealed, each with its place, and are never shown again.

import { AppError } from "../../core/errors.ts";
import type { AppId } from "../../core/ids.ts";
import type { Sealer } from "../../core/sealing.ts";
import { type Sql, transaction } from "../../db/mod.ts";
import {
  deleteOAuthProvider,
  findOAuthProvider,
  listOAuthProviders,
  lockOAuthProvider,
  type OAuthProviderRow,
  putOAuthProvider,
  updateOAuthProvider,
} from "../../db/queries/oauth_providers.ts";
import { configuredProvider, type Provider, type ProviderSecrets, usableProvider } from "./provider.ts";
import {
  isProviderName,
  type ProviderChange,
  type ProviderDraft,
  type ProviderMetadata,
} from "./provider_draft.ts";

export class ProviderSettings {
  readonly #sql: Sql;
  readonly #sealer: Sealer;

  constructor({ sql, sealer }: { sql: Sql; sealer: Sealer }) {
    this.#sql = sql;
    this.#sealer = sealer;
  }

  /** Sets a provider up, or anew; one that was switched off stays so. */
  async put(appId: AppId, draft: ProviderDraft) {
    const place = { appId, provider: draft.provider };
    const { privateKey, metadata } = split(draft.provider_metadata ?? {});
    const row = await putOAuthProvider(this.#sql, place, {
      client_id: draft.client_id,
      secrets_sealed: await this.#seal(place, {
        clientSecret: draft.client_secret,
        privateKey: privateKey ?? null,
      }),
      redirect_uris: draft.redirect_uris,
      scopes: draft.scopes?.length ? draft.scopes : null,
      authorization_url: draft.authorization_url ?? null,
      token_url: draft.token_url ?? null,
      userinfo_url: draft.userinfo_url ?? null,
      metadata,
    });
    return shownProvider(row);
  }

  async list(appId: AppId) {
    return (await listOAuthProviders(this.#sql, appId)).map(shownProvider);
  }

  /** @throws {AppError} RESOURCE_NOT_FOUND */
  async get(appId: AppId, provider: string) {
    return shownProvider(await this.#find(appId, provider));
  }

  /**
   * Changes what the change names. Metadata is replaced, but for a private key that it leaves out: that one is never
   * shown, so it could not be sent back.
   * @throws {AppError} RESOURCE_NOT_FOUND
   */
  async change(appId: AppId, provider: string, change: ProviderChange) {
    await this.#find(appId, provider);
    return await transaction(this.#sql, async (tx) => {
      const row = await lockOAuthProvider(tx, appId, provider);
      if (row === null) throw notConfigured(provider);
      const secrets = await this.#open(row);
      const { client_secret: clientSecret = secrets.clientSecret, provider_metadata, ...rest } = change;
      const given = provider_metadata === undefined ? null : split(provider_metadata ?? { privateKey: null });
      const privateKey = given?.privateKey === undefined ? secrets.privateKey : given.privateKey;
      const fields = {
        client_id: row.client_id,
        redirect_uris: row.redirect_uris,
        scopes: row.scopes,
        authorization_url: row.authorization_url,
        token_url: row.token_url,
        userinfo_url: row.userinfo_url,
        enabled: row.enabled,
        ...rest,
        metadata: given?.metadata ?? row.metadata,
        secrets_sealed: await this.#seal({ appId, provider }, { clientSecret, privateKey }),
      };
      return shownProvider(await updateOAuthProvider(tx, row.id, fields));
    });
  }

  /** Sessions that began by it go on. @throws {AppError} RESOURCE_NOT_FOUND */
  async remove(appId: AppId, provider: string): Promise<void> {
    const removed = isProviderName(provider) && await deleteOAuthProvider(this.#sql, appId, provider);
    if (!removed) throw notConfigured(provider);
  }

  /** The provider for a sign-in. @throws {AppError} RESOURCE_NOT_FOUND when people cannot sign in by it. */
  async usable(appId: AppId, provider: string): Promise<Provider> {
    const row = await this.#find(appId, provider);
    const cannot = (why: string) =>
      new AppError("RESOURCE_NOT_FOUND", `Cannot sign in by ${provider}: ${why}`, {
        remediation: "The app's owner corrects it with PATCH /v1/{app}/auth/oauth-config/{provider}.",
      });
    if (!row.enabled) throw cannot("the provider is switched off");
    if (row.redirect_uris.length === 0) throw cannot("it has no redirect URI");
    const usable = usableProvider(row, await this.#open(row));
    if ("missing" in usable) throw cannot(`its configuration lacks ${usable.missing}`);
    return usable;
  }

  async #find(appId: AppId, provider: string): Promise<OAuthProviderRow> {
    const row = isProviderName(provider) ? await findOAuthProvider(this.#sql, appId, provider) : null;
    if (row === null) throw notConfigured(provider);
    return row;
  }

  async #seal(place: { appId: AppId; provider: string }, secrets: ProviderSecrets): Promise<string> {
    return await this.#sealer.seal(JSON.stringify(secrets), placeOf(place));
  }

  async #open({ app_id: appId, provider, secrets_sealed }: OAuthProviderRow): Promise<ProviderSecrets> {
    return JSON.parse(await this.#sealer.open(secrets_sealed, placeOf({ appId, provider })));
  }
}

function placeOf({ appId, provider }: { appId: AppId; provider: string }): string {
  return `app/${appId}/oauth_provider/${provider}`;
}

function split({ privateKey, ...metadata }: ProviderMetadata) {
  return { privateKey, metadata };
}

/** A provider as its owner sees it: names and case are the contract's. */
function shownProvider(row: OAuthProviderRow) {
  const { scopes, authorizationUrl, tokenUrl, userinfoUrl } = configuredProvider(row);
  return {
    id: row.id,
    app_id: row.app_id,
    provider: row.provider,
    client_id: row.client_id,
    redirect_uris: row.redirect_uris,
    scopes,
    authorization_url: authorizationUrl,
    token_url: tokenUrl,
    userinfo_url: userinfoUrl,
    enabled: row.enabled,
    provider_metadata: row.metadata,
    created_at: row.created_at.toISOString(),
  };
}

function notConfigured(provider: string): AppError {
  return new AppError("RESOURCE_NOT_FOUND", `The app has no sign-in by "${provider.slice(0, 64)}"`, {
    remediation: "The app's owner sets it up with POST /v1/{app}/auth/oauth-config.",
  });
}
