// Sign-in by a provider: from the app's page to the provider, and from there back with tokens. BEGUN → FINISHED, once, by
// the browser that began it, within ten minutes.

import type { GuardedFetch } from "../../core/egress/guarded_fetch.ts";
import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { Sql } from "../../db/mod.ts";
import { insertOAuthSignIn, takeOAuthSignIn } from "../../db/queries/oauth_sign_ins.ts";
import type { AuthApp, EndUsers, SignedIn } from "../users/mod.ts";
import {
  type BrowserSecret,
  codeVerifierOf,
  cookieName,
  hashOf,
  newBrowserSecret,
  nonceOf,
  parseBrowserSecret,
} from "./browser_secret.ts";
import { authorizationUrl, type Binding, ProviderClient } from "./provider_client.ts";
import { providerFetch, type ProviderPatience } from "./provider_fetch.ts";
import type { ProviderSettings } from "./provider_settings.ts";
import { parseRedirectTarget, withTokens } from "./redirect_target.ts";

const lifeSeconds = 600;

/** What signing in by a provider needs to know of an app. */
export interface OAuthApp extends AuthApp {
  readonly allowedOrigins: readonly string[];
}

export interface OAuthSignInParts {
  sql: Sql;
  settings: ProviderSettings;
  users: Pick<EndUsers, "signInByProvider">;
  fetch: GuardedFetch;
  log: Logger;
  patience?: ProviderPatience;
}

/** A cookie for the path of the redirect URI. */
export interface BrowserCookie {
  name: string;
  value: string;
  path: string;
  secure: boolean;
  /** `None` where the provider's answer is a POST from its own page, which carries no `Lax` cookie. */
  sameSite: "Lax" | "None";
  maxAgeSeconds: number;
}

export interface Begun {
  location: string;
  cookie: BrowserCookie;
}

export interface Finished {
  signedIn: SignedIn;
  /** The page with the tokens, or `null` where the answer's body takes them. */
  location: string | null;
}

export class OAuthSignIn {
  readonly #parts: OAuthSignInParts;
  readonly #client = new ProviderClient();

  constructor(parts: OAuthSignInParts) {
    this.#parts = parts;
  }

  /** @throws {AppError} RESOURCE_NOT_FOUND, or VALIDATION_INVALID_INPUT for a URL that is not the app's. */
  async begin(
    app: OAuthApp,
    name: string,
    { redirectTo, redirectUri }: { redirectTo: string | null; redirectUri: string | null },
  ): Promise<Begun> {
    const { sql, settings } = this.#parts;
    const provider = await settings.usable(app.id, name);
    if (redirectUri !== null && !provider.redirectUris.includes(redirectUri)) {
      throw new AppError(
        "VALIDATION_INVALID_INPUT",
        `Cannot sign in by ${name}: redirect_uri is not one of those that are configured`,
        { remediation: "Leave redirect_uri out: the first one that is configured is used." },
      );
    }
    const target = redirectTo === null ? null : parseRedirectTarget(redirectTo, app.allowedOrigins);
    const browser = newBrowserSecret();
    const used = provider.redirectUris[0] as string;
    await insertOAuthSignIn(
      sql,
      { stateHash: await hashOf(browser), appId: app.id, provider: name },
      { redirectUri: used, redirectTo: target, lifeSeconds },
    );
    const location = await authorizationUrl(provider, await bindingOf(browser, used));
    return { location, cookie: cookieOf(browser, { location, redirectUri: used }) };
  }

  /**
   * Takes the provider's answer; `cookie` reads the browser's cookies.
   * @throws {AppError} AUTH_OAUTH_…, RESOURCE_NOT_FOUND, RESOURCE_CONFLICT when the address has an account that this
   * identity may not enter.
   */
  async finish(
    app: OAuthApp,
    name: string,
    { redirect, cookie }: { redirect: URLSearchParams; cookie: (name: string) => string | undefined },
  ): Promise<Finished> {
    const { sql, settings, users, fetch: guarded, patience = { answerMs: 10_000, wholeMs: 25_000 } } =
      this.#parts;
    const provider = await settings.usable(app.id, name);
    const state = redirect.get("state");
    const cookieOfState = cookieName(state);
    const browser = parseBrowserSecret(state, cookieOfState === null ? undefined : cookie(cookieOfState));
    const places = browser &&
      await takeOAuthSignIn(sql, { stateHash: await hashOf(browser), appId: app.id, provider: name });
    if (browser === null || places === null) throw unknownState(name);
    const { redirectTo } = places;
    // The app may have withdrawn the origin meanwhile.
    const target = redirectTo === null ? null : parseRedirectTarget(redirectTo, app.allowedOrigins);
    const profile = await this.#client.identify(provider, redirect, {
      binding: await bindingOf(browser, places.redirectUri),
      fetch: providerFetch(guarded, patience),
    }).catch((error) => {
      if (error instanceof AppError && error.code === "AUTH_OAUTH_FAILED") this.#logFailure(app, error);
      throw error;
    });
    const signedIn = await users.signInByProvider(app, profile);
    return { signedIn, location: target === null ? null : withTokens(target, signedIn) };
  }

  /** With the cause's words, such as the address that was refused, but nothing of the answer. */
  #logFailure(app: OAuthApp, { message, cause }: AppError): void {
    const why = cause instanceof AppError ? cause.message : undefined;
    this.#parts.log.warn("A sign-in by a provider failed", { app: app.id, message, ...(why && { why }) });
  }
}

async function bindingOf(browser: BrowserSecret, redirectUri: string): Promise<Binding> {
  return {
    state: browser.state,
    codeVerifier: await codeVerifierOf(browser),
    nonce: await nonceOf(browser),
    redirectUri,
  };
}

function cookieOf(
  { state, secret }: BrowserSecret,
  { location, redirectUri }: { location: string; redirectUri: string },
): BrowserCookie {
  const { pathname, protocol } = new URL(redirectUri);
  const crossSite = new URL(location).searchParams.get("response_mode") === "form_post";
  return {
    name: cookieName(state) as string,
    value: secret,
    path: pathname,
    secure: protocol === "https:" || crossSite,
    sameSite: crossSite ? "None" : "Lax",
    maxAgeSeconds: lifeSeconds,
  };
}

function unknownState(provider: string): AppError {
  return new AppError(
    "AUTH_OAUTH_STATE_INVALID",
    `Cannot sign in by ${provider}: the sign-in was not begun here in this browser, is over, or was begun too long ago`,
  );
}
