// A provider as one sign-in uses it: what the platform knows of it, and over that what the app's owner says.

import type { OAuthProviderRow } from "../../db/queries/oauth_providers.ts";
import type { AppleKey } from "./apple_secret.ts";
import type { ProviderMetadata } from "./provider_draft.ts";
import { kindOf, type ProviderKind } from "./provider_kinds.ts";

/** What is sealed of a provider. */
export interface ProviderSecrets {
  clientSecret: string;
  privateKey: string | null;
}

/** Of any provider that is configured, whether it can be used or not. */
export interface ConfiguredProvider extends ProviderKind {
  readonly name: string;
  readonly clientId: string;
  readonly enabled: boolean;
  readonly redirectUris: readonly string[];
}

/** One that can be asked. */
export interface Provider extends ConfiguredProvider {
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly clientSecret: string;
  readonly appleKey: AppleKey | null;
}

export function configuredProvider(row: OAuthProviderRow): ConfiguredProvider {
  const kind = kindOf(row.provider);
  const metadata = row.metadata as ProviderMetadata;
  return {
    ...kind,
    name: row.provider,
    clientId: row.client_id,
    enabled: row.enabled,
    redirectUris: row.redirect_uris,
    scopes: row.scopes ?? kind.scopes,
    authorizationUrl: row.authorization_url ?? kind.authorizationUrl,
    tokenUrl: row.token_url ?? kind.tokenUrl,
    userinfoUrl: row.userinfo_url ?? kind.userinfoUrl,
    issuer: metadata.issuer ?? kind.issuer,
    keysUrl: metadata.jwks_uri ?? kind.keysUrl,
    pkce: metadata.pkce ?? kind.pkce,
    tokenAuth: metadata.token_endpoint_auth_method ?? kind.tokenAuth,
  };
}

/** The provider with its secrets, or why it cannot be asked. */
export function usableProvider(
  row: OAuthProviderRow,
  { clientSecret, privateKey }: ProviderSecrets,
): Provider | { missing: string } {
  const provider = configuredProvider(row);
  const { teamId, keyId } = row.metadata as ProviderMetadata;
  const { authorizationUrl, tokenUrl, userinfoUrl, issuer, keysUrl } = provider;
  if (authorizationUrl === null || tokenUrl === null) return { missing: "authorization_url and token_url" };
  if (keysUrl === null && userinfoUrl === null) return { missing: "userinfo_url" };
  if (keysUrl !== null && issuer === null) return { missing: "provider_metadata.issuer" };
  return {
    ...provider,
    authorizationUrl,
    tokenUrl,
    clientSecret,
    appleKey: teamId && keyId && privateKey ? { teamId, keyId, privateKey } : null,
  };
}
