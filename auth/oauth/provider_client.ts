// Asks a provider who somebody is: the authorization code flow by oauth4webapi, then the ID token or the user info.

import * as oauth from "oauth4webapi";
import { Lru } from "../../core/lru.ts";
import type { ProviderProfile } from "../users/mod.ts";
import { appleClientSecret } from "./apple_secret.ts";
import { profileOf } from "./profile.ts";
import type { Provider } from "./provider.ts";
import type { ProviderFetch } from "./provider_fetch.ts";
import type { Claims } from "./provider_kinds.ts";
import { providerFailure } from "./provider_failure.ts";

/** What a sign-in is bound to, at the provider's as well as at ours. */
export interface Binding {
  state: string;
  codeVerifier: string;
  nonce: string;
  redirectUri: string;
}

const signatures = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];
/** http is judged where the URL is set, and by the guarded fetch. */
const anyProtocol = { [oauth.allowInsecureRequests]: true } as const;

/** The URL to send the browser to. */
export async function authorizationUrl(provider: Provider, binding: Binding): Promise<string> {
  const url = new URL(provider.authorizationUrl);
  const set = (parameters: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  };
  set({
    client_id: provider.clientId,
    redirect_uri: binding.redirectUri,
    response_type: "code",
    state: binding.state,
  });
  if (provider.scopes.length > 0) set({ scope: provider.scopes.join(provider.scopeSeparator) });
  if (provider.pkce) {
    set({
      code_challenge: await oauth.calculatePKCECodeChallenge(binding.codeVerifier),
      code_challenge_method: "S256",
    });
  }
  if (provider.keysUrl !== null && provider.nonce) set({ nonce: binding.nonce });
  set(provider.authorizeParameters);
  return url.href;
}

export class ProviderClient {
  /** oauth4webapi keeps a provider's keys by the identity of its description. */
  readonly #servers = new Lru<string, oauth.AuthorizationServer>(500);

  /**
   * The person whom the provider's redirect is about.
   * @throws {AppError} AUTH_OAUTH_DENIED when the provider or the person said no, or the redirect is another provider's;
   * AUTH_OAUTH_FAILED when the provider does not answer as it should.
   */
  async identify(
    provider: Provider,
    redirect: URLSearchParams,
    { binding, fetch }: { binding: Binding; fetch: ProviderFetch },
  ): Promise<ProviderProfile> {
    const server = this.#serverOf(provider);
    const client: oauth.Client = { client_id: provider.clientId, [oauth.clockTolerance]: 60 };
    const options = { [oauth.customFetch]: fetch, ...anyProtocol };
    let step = "redirect";
    try {
      const answered = oauth.validateAuthResponse(
        server,
        client,
        relevant(redirect, provider),
        binding.state,
      );
      if (answered.getAll("code").length !== 1) throw new Error("it holds no code, or several");
      step = "token";
      const granted = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        await clientAuth(provider),
        answered,
        binding.redirectUri,
        provider.pkce ? binding.codeVerifier : oauth.nopkce,
        options,
      );
      const response = await needed(granted, provider);
      const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
        requireIdToken: provider.keysUrl !== null,
        ...(provider.keysUrl !== null && provider.nonce ? { expectedNonce: binding.nonce } : {}),
      });
      if (provider.keysUrl !== null) {
        step = "keys";
        await oauth.validateApplicationLevelSignature(server, response, options);
        step = "profile";
        const claims = oauth.getValidatedIdTokenClaims(tokens) as Claims;
        return profileOf(provider.name, provider.profile(claims, []));
      }
      step = "profile";
      return await this.#askProfile(provider, tokens.access_token, options);
    } catch (error) {
      throw providerFailure(provider.name, step, error);
    }
  }

  async #askProfile(
    provider: Provider,
    accessToken: string,
    options: oauth.ProtectedResourceRequestOptions,
  ): Promise<ProviderProfile> {
    const base = new URL(provider.userinfoUrl as string);
    const ask = async (url: URL) =>
      await oauth.protectedResourceRequest(
        accessToken,
        "GET",
        url,
        new Headers({ accept: "application/json" }),
        null,
        options,
      );
    const url = new URL(base);
    for (const [name, value] of Object.entries(provider.userinfoParameters)) {
      url.searchParams.set(name, value);
    }
    const claims = await jsonOf(await ask(url));
    if (typeof claims !== "object" || claims === null) throw new Error("it answered no JSON object");
    const addresses = provider.addressesPath === null
      ? []
      : await jsonOf(await ask(new URL(`${base.origin}${base.pathname}${provider.addressesPath}`)));
    const listed = Array.isArray(addresses)
      ? addresses.filter((each) => typeof each === "object" && each !== null)
      : [];
    return profileOf(provider.name, provider.profile(claims as Claims, listed));
  }

  #serverOf({ authorizationUrl, tokenUrl, issuer, keysUrl }: Provider): oauth.AuthorizationServer {
    const server: oauth.AuthorizationServer = {
      issuer: issuer ?? authorizationUrl,
      token_endpoint: tokenUrl,
      ...(keysUrl === null ? {} : { jwks_uri: keysUrl }),
      id_token_signing_alg_values_supported: signatures,
    };
    const key = JSON.stringify(server);
    const former = this.#servers.get(key);
    if (former !== undefined) return former;
    this.#servers.set(key, server);
    return server;
  }
}

/** What of a redirect counts. Apple's has an ID token besides, which came through the browser and is not looked at. */
function relevant(redirect: URLSearchParams, { issuer }: Provider): URLSearchParams {
  const names = ["code", "state", "error", "error_description", ...(issuer === null ? [] : ["iss"])];
  return new URLSearchParams([...redirect].filter(([name]) => names.includes(name)));
}

async function clientAuth(
  { tokenAuth, clientId, clientSecret, appleKey, issuer }: Provider,
): Promise<oauth.ClientAuth> {
  if (tokenAuth === "apple" && appleKey !== null) {
    const audience = issuer as string;
    return oauth.ClientSecretPost(await appleClientSecret(appleKey, { clientId, audience }));
  }
  if (clientSecret === "") return oauth.None();
  return tokenAuth === "client_secret_basic"
    ? oauth.ClientSecretBasic(clientSecret)
    : oauth.ClientSecretPost(clientSecret);
}

/**
 * The token answer without what is not used, which providers fill in ways of their own; and with an error's status where
 * GitHub says 200.
 */
async function needed(response: Response, { keysUrl }: Provider): Promise<Response> {
  if (response.status !== 200) return response;
  const body = await jsonOf(response.clone()).catch(() => null);
  if (typeof body !== "object" || body === null) return response;
  const { access_token, token_type = "bearer", id_token, error, error_description } = body as Claims;
  if (access_token === undefined && error !== undefined) {
    return Response.json({ error, error_description }, { status: 400 });
  }
  return Response.json({ access_token, token_type, ...(keysUrl === null ? {} : { id_token }) });
}

async function jsonOf(response: Response): Promise<unknown> {
  if (response.status !== 200) {
    throw new Error(`it answered with status ${response.status}`);
  }
  try {
    return await response.json();
  } catch (cause) {
    throw new Error("its answer is not JSON", { cause });
  }
}
