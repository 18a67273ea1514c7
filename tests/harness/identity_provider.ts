// deno-lint-ignore-file no-explicit-any -- what a provider says is what a test makes it say.
// A provider of identities on loopback: it authorizes, exchanges codes, checks its clients, and says who somebody is, by ID
// token and by user info. A test changes what it says, or answers in its place.

import { Hono } from "hono";
import { type CryptoKey, exportJWK, exportPKCS8, generateKeyPair, jwtVerify, SignJWT } from "jose";

/** The address that the platforms of these tests may reach. */
export const openAddress = "127.0.0.2";

export const client = { client_id: "client-1", client_secret: "very-secret:+/%" };

export interface Asked {
  path: string;
  query: URLSearchParams;
  headers: Headers;
  form: URLSearchParams;
}

interface Grant {
  redirectUri: string;
  challenge: string | null;
  nonce: string | null;
}

export class IdentityProvider implements AsyncDisposable {
  readonly origin: string;
  readonly jwks: string;
  /** What Apple's customers sign their secrets with. */
  readonly applePrivateKey: string;
  readonly keys: { privateKey: CryptoKey; publicKey: CryptoKey };
  /** All that the platform asked, oldest first. */
  readonly asked: Asked[] = [];
  /** What it says of the person who signs in, in ID tokens and as user info. */
  person: Record<string, any> = {};
  /** What it lists as the person's addresses. */
  addresses: unknown = [];
  /** Fields of its redirect besides code and state. */
  redirectFields: Record<string, string> = {};
  /** Answers in place of its own, by path. */
  instead: Record<string, (request: Request) => Response | Promise<Response>> = {};
  /** Changes what it puts into an ID token. */
  idToken: (claims: Record<string, unknown>) => Promise<string>;
  readonly #grants = new Map<string, Grant>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #apple: CryptoKey;

  private constructor(keys: { privateKey: CryptoKey; publicKey: CryptoKey }, apple: CryptoKey, pem: string) {
    this.keys = keys;
    this.#apple = apple;
    this.applePrivateKey = pem;
    this.idToken = (claims) => this.sign(claims);
    const routes = this.#routes();
    this.#server = Deno.serve(
      { hostname: openAddress, port: 0, onListen() {} },
      (request) => this.instead[new URL(request.url).pathname]?.(request) ?? routes.fetch(request),
    );
    this.origin = `http://${openAddress}:${this.#server.addr.port}`;
    this.jwks = `${this.origin}/jwks`;
  }

  static async start(): Promise<IdentityProvider> {
    const keys = await generateKeyPair("RS256", { extractable: true });
    const apple = await generateKeyPair("ES256", { extractable: true });
    return new IdentityProvider(keys, apple.publicKey, await exportPKCS8(apple.privateKey));
  }

  /** Fields of a configuration that lead here. */
  urls() {
    return {
      authorization_url: `${this.origin}/authorize`,
      token_url: `${this.origin}/token`,
      userinfo_url: `${this.origin}/userinfo`,
    };
  }

  async sign(
    claims: Record<string, unknown>,
    key = this.keys.privateKey,
    header: object = {},
  ): Promise<string> {
    return await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "k1", ...header }).sign(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #routes(): Hono {
    const routes = new Hono();
    routes.use(async (c, next) => {
      const { pathname: path, searchParams: query } = new URL(c.req.url);
      const form = new URLSearchParams(c.req.method === "POST" ? await c.req.text() : "");
      this.asked.push({ path, query, headers: c.req.raw.headers, form });
      await next();
    });

    routes.get("/authorize", (c) => {
      const query = new URL(c.req.url).searchParams;
      const redirectUri = query.get("redirect_uri") ?? "";
      const state = query.get("state") ?? "";
      if (query.get("client_id") !== client.client_id) return c.text("unknown client", 400);
      const code = crypto.randomUUID();
      this.#grants.set(code, {
        redirectUri,
        challenge: query.get("code_challenge"),
        nonce: query.get("nonce"),
      });
      const answer = new URLSearchParams({ code, state, ...this.redirectFields });
      if (query.get("response_mode") === "form_post") {
        // A page whose script posts the form, as Apple's.
        return c.json({ action: redirectUri, form: answer.toString() });
      }
      return c.redirect(`${redirectUri}?${answer}`, 302);
    });

    routes.post("/token", async (c) => {
      const { form } = this.asked.at(-1) as Asked;
      const grant = this.#grants.get(form.get("code") ?? "");
      this.#grants.delete(form.get("code") ?? "");
      if (!await this.#isClient(c.req.header("authorization"), form)) {
        return c.json({ error: "invalid_client" }, 401);
      }
      if (grant === undefined || grant.redirectUri !== form.get("redirect_uri")) {
        return c.json({ error: "invalid_grant", error_description: "no such code" }, 400);
      }
      if (
        grant.challenge !== null && grant.challenge !== await challengeOf(form.get("code_verifier") ?? "")
      ) {
        return c.json({ error: "invalid_grant", error_description: "wrong code_verifier" }, 400);
      }
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: this.origin,
        aud: client.client_id,
        iat: now,
        exp: now + 300,
        ...(grant.nonce === null ? {} : { nonce: grant.nonce }),
        ...this.person,
      };
      return c.json({
        access_token: "provider-access-token",
        token_type: "Bearer",
        expires_in: 300,
        ...("sub" in this.person ? { id_token: await this.idToken(claims) } : {}),
      });
    });

    const signedIn = (c: { req: { header(name: string): string | undefined } }) =>
      c.req.header("authorization") === "Bearer provider-access-token";
    routes.get("/userinfo", (c) => signedIn(c) ? c.json(this.person) : c.json({}, 401));
    routes.get("/userinfo/emails", (c) => signedIn(c) ? c.json(this.addresses as any) : c.json({}, 401));
    routes.get(
      "/jwks",
      async (c) =>
        c.json({ keys: [{ ...await exportJWK(this.keys.publicKey), kid: "k1", alg: "RS256", use: "sig" }] }),
    );
    return routes;
  }

  async #isClient(authorization: string | undefined, form: URLSearchParams): Promise<boolean> {
    if (authorization !== undefined) {
      const [id, secret] = atob(authorization.replace(/^Basic /, "")).split(":").map((part) =>
        decodeURIComponent(part.replaceAll("+", " "))
      );
      return id === client.client_id && secret === client.client_secret && form.get("client_secret") === null;
    }
    if (form.get("client_id") !== client.client_id) return false;
    const secret = form.get("client_secret") ?? "";
    if (secret === client.client_secret) return true;
    return await jwtVerify(secret, this.#apple, {
      algorithms: ["ES256"],
      issuer: "TEAM1",
      subject: client.client_id,
      audience: this.origin,
      maxTokenAge: "10m",
    }).then(({ protectedHeader }) => protectedHeader.kid === "KEY1", () => false);
  }
}

async function challengeOf(verifier: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  return digest.toBase64({ alphabet: "base64url", omitPadding: true });
}
