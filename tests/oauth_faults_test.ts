// Providers that answer as none should: with redirects, pages, floods and silence, or at private addresses. The sign-in ends
// in one envelope, and nothing private is reached or told.

import assert from "node:assert/strict";
import { OAuthSignIn, ProviderSettings } from "../auth/oauth/mod.ts";
import { Secret } from "../core/config.ts";
import { createGuardedFetch } from "../core/egress/guarded_fetch.ts";
import { AppError } from "../core/errors.ts";
import { createSealer } from "../core/sealing.ts";
import { client, IdentityProvider, openAddress } from "./harness/identity_provider.ts";
import { appPage, OAuthApp } from "./harness/oauth.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let idp: IdentityProvider;
/** On an address that the platform may not reach. */
let inner: Deno.HttpServer<Deno.NetAddr>;
let innerCalls = 0;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: openAddress, BUTTERBASE_AUTH_LIMITS: "off" });
  idp = await IdentityProvider.start();
  inner = Deno.serve({ hostname: "127.0.0.3", port: 0, onListen() {} }, () => {
    innerCalls++;
    return Response.json({
      access_token: "inner",
      token_type: "bearer",
      sub: "inner",
      email: "inner@example.com",
    });
  });
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
  await idp[Symbol.asyncDispose]();
  await inner.shutdown();
});
Deno.test.beforeEach(() => {
  idp.asked.length = 0;
  idp.instead = {};
  idp.person = { sub: "p-1", email: "ada@example.com", email_verified: true, name: "Ada" };
});

const innerUrl = () => `http://127.0.0.3:${inner.addr.port}/`;

Deno.test("a provider's own redirect is not followed, least of all to a private address", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  let followed = 0;
  for (const path of ["/token", "/userinfo"]) {
    for (const status of [302, 307, 308]) {
      for (const location of [innerUrl(), `${idp.origin}/good`]) {
        idp.instead = {
          [path]: () => new Response(null, { status, headers: { location } }),
          "/good": () => {
            followed++;
            return Response.json({ access_token: "a", token_type: "bearer", ...idp.person });
          },
        };
        const { status: answered, body } = await app.signIn("corp");
        assert.deepEqual(
          [answered, body.error?.code],
          [500, "AUTH_OAUTH_FAILED"],
          `${path} ${status} ${location}`,
        );
      }
    }
  }
  assert.deepEqual([innerCalls, followed], [0, 0]);
});

Deno.test("an endpoint on a private address is refused where it is set, and where it is used", async () => {
  const app = await OAuthApp.make(p, idp);
  const place = `/v1/${app.id}/auth/oauth-config`;
  const metadata = (jwks_uri: string) => ({ provider_metadata: { issuer: idp.origin, jwks_uri } });
  const urls = [
    innerUrl(),
    "http://localhost:5432/",
    "http://[::1]/",
    "http://169.254.169.254/latest",
    "http://2130706435/",
  ];
  for (const url of urls) {
    for (const fields of [{ token_url: url }, { userinfo_url: url }, metadata(url)]) {
      const body = {
        provider: "corp",
        ...client,
        redirect_uris: [app.callback("corp")],
        ...idp.urls(),
        ...fields,
      };
      const answer = await p.json("POST", place, { body });
      assert.deepEqual(
        [answer.status, answer.body.error?.code],
        [400, "EGRESS_REFUSED"],
        JSON.stringify(fields),
      );
    }
  }
  await app.configure("corp");
  for (const column of ["token_url", "userinfo_url"]) {
    await p.sql`update app_oauth_providers set ${p.sql({ [column]: innerUrl() })} where app_id = ${app.id}`;
    const { status, body } = await app.signIn("corp");
    assert.deepEqual([status, body.error.code], [500, "AUTH_OAUTH_FAILED"]);
    assert.ok(!JSON.stringify(body).includes("127.0.0"), JSON.stringify(body));
  }
  assert.equal(innerCalls, 0);
});

Deno.test("answers that no provider should give end the sign-in in one envelope", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const html = () =>
    new Response("<html><script>alert(1)</script></html>", {
      status: 502,
      headers: { "content-type": "text/html" },
    });
  const big = () =>
    Response.json({
      access_token: "provider-access-token",
      ...idp.person,
      filling: "x".repeat(10 * 1024 * 1024),
    });
  const token = (body: unknown) => () => Response.json(body);
  const answers: [path: string, answer: () => Response][] = [
    ["/token", html],
    ["/token", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["/token", big],
    ["/token", () => new Response(null, { status: 204 })],
    ["/token", () => new Response("{", { headers: { "content-type": "application/json" } })],
    ["/token", token(null)],
    ["/token", token([])],
    ["/token", token({ token_type: "bearer" })],
    ["/token", token({ access_token: 7, token_type: "bearer" })],
    ["/token", token({ access_token: "a b\r\nx-evil: 1", token_type: "bearer" })],
    ["/token", token({ access_token: "a", token_type: "mac" })],
    ["/token", token({ error: "bad_verification_code", error_description: "<script>\u0000\u202e" })],
    [
      "/token",
      () =>
        Response.json({ error: "invalid_client" }, { status: 401, headers: { "www-authenticate": "Basic" } }),
    ],
    ["/userinfo", html],
    ["/userinfo", big],
    ["/userinfo", token(null)],
    ["/userinfo", token("ada")],
    ["/userinfo", token({ email: "ada@example.com" })],
    ["/userinfo", token({ sub: { $gt: "" }, email: "ada@example.com" })],
    ["/userinfo", token({ sub: "", email: "ada@example.com" })],
    ["/userinfo", token({ sub: "a\u0000b", email: "ada@example.com" })],
    ["/userinfo", token({ sub: "x".repeat(256), email: "ada@example.com" })],
    ["/userinfo", token({ sub: "1" })],
    ["/userinfo", token({ sub: "1", email: ["ada@example.com"] })],
    [
      "/userinfo",
      () => Response.json({}, { status: 401, headers: { "www-authenticate": 'Bearer error="x"' } }),
    ],
  ];
  for (const [path, answer] of answers) {
    idp.instead = { [path]: answer };
    const got = await app.signIn("corp", { query: { redirect_to: appPage } });
    const what = `${path} ${answer}`;
    assert.deepEqual(
      [got.status, got.body.error?.code, got.location],
      [500, "AUTH_OAUTH_FAILED", null],
      what,
    );
    assert.doesNotMatch(got.body.error.message, /[^\x20-\x7e]|very-secret/, what);
  }
  idp.instead = { "/userinfo": token({ sub: "1", email: "not an address" }) };
  assert.equal((await app.signIn("corp")).status, 400);
  assert.deepEqual(await app.users(), []);
  idp.instead = {
    "/userinfo": token({
      sub: "2",
      email: "ok@example.com",
      name: "A\r\n\u0000B",
      picture: "javascript:alert(1)",
    }),
  };
  const { display_name, avatar_url } = (await app.signIn("corp")).body.user;
  assert.deepEqual([display_name, avatar_url], ["A B", null]);
});

Deno.test("a provider that stalls or drips is given up, and the log holds no secret", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const lines: string[] = [];
  const write = (message: string, fields?: object) => void lines.push(JSON.stringify({ message, ...fields }));
  const sealer = await createSealer(new Secret("1".repeat(64)));
  const signIn = new OAuthSignIn({
    sql: p.sql,
    settings: new ProviderSettings({ sql: p.sql, sealer }),
    users: p.platform.endUsers.users,
    fetch: createGuardedFetch({ rules: () => ({ allow: [openAddress], deny: [] }) }),
    log: { debug: write, info: write, warn: write, error: write },
    patience: { answerMs: 300, wholeMs: 500 },
  });
  const known = {
    id: app.id as never,
    name: "app",
    auth: { accessTokenTtl: "1h", refreshTokenTtlDays: 7 },
    allowedOrigins: [],
  };
  const released = Promise.withResolvers<void>();
  const drip = () =>
    new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        controller.enqueue(new TextEncoder().encode(" "));
      },
    });
  const answers = [
    async () => (await released.promise, new Response()),
    () => new Response(drip(), { headers: { "content-type": "application/json" } }),
  ];
  const codes: string[] = [];
  for (const path of ["/token", "/userinfo"]) {
    for (const answer of answers) {
      idp.instead = { [path]: answer };
      const { location, cookie } = await signIn.begin(known, "corp", { redirectTo: null, redirectUri: null });
      const back = await fetch(location, { redirect: "manual" });
      await back.body?.cancel();
      const redirect = new URL(back.headers.get("location") ?? "").searchParams;
      codes.push(redirect.get("code") ?? "", cookie.value, redirect.get("state") ?? "");
      const failed = signIn.finish(known, "corp", { redirect, cookie: () => cookie.value });
      await assert.rejects(
        failed,
        (error) =>
          error instanceof AppError && error.code === "AUTH_OAUTH_FAILED" &&
          /not in time/.test(error.message),
      );
    }
  }
  released.resolve();
  assert.equal(lines.length, 4);
  for (const secret of [...codes, client.client_secret, "provider-access-token"]) {
    assert.ok(secret.length > 8 && !lines.join("\n").includes(secret));
  }
});
