// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Sign-ins by the tests' own provider, step by step.

import assert from "node:assert/strict";
import { Browser } from "./browser.ts";
import { client, type IdentityProvider } from "./identity_provider.ts";
import type { TestPlatform } from "./platform.ts";

export const appPage = "https://app.example.com/welcome?from=login#top";

export interface Answer {
  status: number;
  body: any;
  location: string | null;
  headers: Headers;
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const { status, headers } = response;
  return {
    status,
    body: text.startsWith("{") ? JSON.parse(text) : text,
    location: headers.get("location"),
    headers,
  };
}

export class OAuthApp {
  readonly p: TestPlatform;
  readonly idp: IdentityProvider;
  readonly id: string;

  constructor(p: TestPlatform, idp: IdentityProvider, id: string) {
    this.p = p;
    this.idp = idp;
    this.id = id;
  }

  /** An app whose pages are at app.example.com. */
  static async make(p: TestPlatform, idp: IdentityProvider): Promise<OAuthApp> {
    const app = new OAuthApp(p, idp, await p.createApp());
    const body = { allowed_origins: ["https://app.example.com"] };
    assert.equal((await p.json("PATCH", `/v1/${app.id}/config/cors`, { body })).status, 200);
    return app;
  }

  callback(provider: string): string {
    return `${this.p.origin}/auth/${this.id}/oauth/${provider}/callback`;
  }

  /** Sets the provider up, with the endpoints of the tests' provider. */
  async configure(provider: string, fields: object = {}): Promise<any> {
    const { status, body } = await this.p.json("POST", `/v1/${this.id}/auth/oauth-config`, {
      body: {
        provider,
        ...client,
        redirect_uris: [this.callback(provider)],
        ...this.idp.urls(),
        ...fields,
      },
    });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** GET …/oauth/{provider} */
  async begin(browser: Browser, provider: string, query: Record<string, string> = {}): Promise<Answer> {
    const url = `${this.p.origin}/auth/${this.id}/oauth/${provider}?${new URLSearchParams(query)}`;
    return await answerOf(await browser.go(url));
  }

  /** Up to where the provider sends the browser back to, with the code. */
  async returnUrl(browser: Browser, provider: string, query: Record<string, string> = {}): Promise<string> {
    const begun = await this.begin(browser, provider, query);
    assert.equal(begun.status, 302, JSON.stringify(begun.body));
    const { location } = await answerOf(await browser.go(begun.location as string));
    assert.ok(location !== null && location.startsWith(this.callback(provider)), String(location));
    return location;
  }

  /** All of it; the answer of the callback. */
  async signIn(
    provider: string,
    { query = {}, browser = new Browser() }: SignInOptions = {},
  ): Promise<Answer> {
    const begun = await this.begin(browser, provider, query);
    assert.equal(begun.status, 302, JSON.stringify(begun.body));
    const there = await answerOf(await browser.go(begun.location as string));
    return await answerOf(
      there.location === null
        ? await browser.submitFromElsewhere(there.body.action, there.body.form)
        : await browser.go(there.location),
    );
  }

  /** Users of the app, as its owner lists them. */
  async users(): Promise<any[]> {
    return (await this.p.json("GET", `/v1/${this.id}/admin/auth/users`)).body.users;
  }

  async me(accessToken: string): Promise<any> {
    const headers = { authorization: `Bearer ${accessToken}` };
    return (await this.p.json("GET", `/auth/${this.id}/me`, { key: null, headers })).body;
  }
}

export interface SignInOptions {
  query?: Record<string, string>;
  browser?: Browser;
}
