// The providers of an app as its owner sets, reads, changes and removes them; what is secret is never told again.

import assert from "node:assert/strict";
import { Browser } from "./harness/browser.ts";
import { client, IdentityProvider, openAddress } from "./harness/identity_provider.ts";
import { OAuthApp } from "./harness/oauth.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let idp: IdentityProvider;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: openAddress });
  idp = await IdentityProvider.start();
  idp.person = { sub: "a1", email: "ada@example.com", email_verified: true };
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
  await idp[Symbol.asyncDispose]();
});

const place = (app: string, provider = "") => `/v1/${app}/auth/oauth-config${provider && `/${provider}`}`;

Deno.test("a provider is set up with what the platform knows of it, and read in the forms that clients read", async () => {
  const app = await OAuthApp.make(p, idp);
  const redirect_uris = [app.callback("google")];
  const made = await p.json("POST", place(app.id), {
    body: { provider: "google", ...client, redirect_uris },
  });
  assert.equal(made.status, 200);
  const { message, config, ...spread } = made.body;
  assert.ok(message.length > 0);
  assert.deepEqual(spread, config);
  const { id, created_at, ...fields } = config;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.match(created_at, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(fields, {
    app_id: app.id,
    provider: "google",
    client_id: client.client_id,
    redirect_uris,
    scopes: ["openid", "email", "profile"],
    authorization_url: "https://accounts.google.com/o/oauth2/v2/auth",
    token_url: "https://oauth2.googleapis.com/token",
    userinfo_url: "https://openidconnect.googleapis.com/v1/userinfo",
    enabled: true,
    provider_metadata: {},
  });
  await app.configure("corp");
  const list = (await p.json("GET", place(app.id))).body;
  assert.deepEqual(list.configs.map(({ provider }: { provider: string }) => provider), ["corp", "google"]);
  assert.deepEqual(list.providers, list.configs);
  assert.deepEqual((await p.json("GET", place(app.id, "google"))).body, config);
});

Deno.test("a second POST sets the provider up anew, and one that is switched off stays off", async () => {
  const app = await OAuthApp.make(p, idp);
  const first = await app.configure("corp", { scopes: ["a"] });
  await p.json("PATCH", place(app.id, "corp"), { body: { enabled: false } });
  const second = await app.configure("corp", { client_id: "client-2" });
  assert.deepEqual(
    [second.id, second.client_id, second.scopes, second.enabled],
    [first.id, "client-2", [], false],
  );
  assert.equal((await app.begin(new Browser(), "corp")).status, 404);
  const on = await p.json("PATCH", place(app.id, "corp"), { body: { enabled: true } });
  assert.equal(on.body.enabled, true);
  assert.equal((await app.begin(new Browser(), "corp")).status, 302);
});

Deno.test("PATCH changes what it names; empty lists, which the command line always sends, change nothing", async () => {
  const app = await OAuthApp.make(p, idp);
  const before = (await app.configure("corp", { scopes: ["openid"] })).config;
  const empty = await p.json("PATCH", place(app.id, "corp"), { body: { redirect_uris: [], scopes: [] } });
  assert.deepEqual([empty.status, empty.body.config], [200, before]);
  const body = { client_id: "client-3", scopes: [], userinfo_url: `${idp.origin}/other` };
  const changed = (await p.json("PATCH", place(app.id, "corp"), { body })).body.config;
  assert.deepEqual(changed, { ...before, client_id: "client-3", userinfo_url: `${idp.origin}/other` });
  const reset = await p.json("PATCH", place(app.id, "corp"), { body: { scopes: null, userinfo_url: null } });
  assert.deepEqual([reset.body.scopes, reset.body.userinfo_url], [[], null]);
});

Deno.test("a new client secret is used at once, and the one before no more", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp", { client_secret: "wrong" });
  const refused = await app.signIn("corp");
  assert.equal(refused.status, 500);
  assert.match(refused.body.error.message, /invalid_client/);
  await p.json("PATCH", place(app.id, "corp"), { body: { client_secret: client.client_secret } });
  assert.equal((await app.signIn("corp")).status, 200);
});

Deno.test("a provider that wants HTTP Basic, or takes no code challenge, is told so by its metadata", async () => {
  const app = await OAuthApp.make(p, idp);
  const provider_metadata = { token_endpoint_auth_method: "client_secret_basic", pkce: false, note: "kept" };
  const { config } = await app.configure("corp", { provider_metadata });
  assert.deepEqual(config.provider_metadata, provider_metadata);
  idp.asked.length = 0;
  assert.equal((await app.signIn("corp")).status, 200);
  const [authorize, token] = idp.asked;
  assert.equal(authorize?.query.get("code_challenge"), null);
  assert.match(token?.headers.get("authorization") ?? "", /^Basic /);
  assert.equal(token?.form.get("code_verifier"), null);
});

Deno.test("secrets are sealed, bound to their place, and never told; Apple's key survives a change of the rest", async () => {
  const app = await OAuthApp.make(p, idp);
  const apple = { teamId: "TEAM1", keyId: "KEY1", issuer: idp.origin, jwks_uri: idp.jwks };
  const told: unknown[] = [];
  told.push(
    await app.configure("apple", {
      client_secret: "",
      provider_metadata: { ...apple, privateKey: idp.applePrivateKey },
    }),
  );
  told.push(await app.configure("corp"));
  for (const path of [place(app.id), place(app.id, "apple")]) told.push((await p.json("GET", path)).body);
  const read = (await p.json("GET", place(app.id, "apple"))).body;
  assert.deepEqual(read.provider_metadata, apple);
  const change = { provider_metadata: { ...read.provider_metadata, note: "x" } };
  told.push((await p.json("PATCH", place(app.id, "apple"), { body: change })).body);
  assert.equal((await app.signIn("apple")).status, 200);

  const rows = await p.sql`select r::text as row from app_oauth_providers r where app_id = ${app.id}`;
  const everything = JSON.stringify([told, rows]);
  const keyLine = idp.applePrivateKey.split("\n")[1] ?? "";
  assert.ok(keyLine.length > 20 && !everything.includes(keyLine) && !everything.includes("PRIVATE KEY"));
  assert.ok(!everything.includes("very-secret"));

  await p.json("PATCH", place(app.id, "apple"), {
    body: { provider_metadata: { ...apple, privateKey: null } },
  });
  assert.equal((await app.signIn("apple")).status, 500);

  await p.sql`
    update app_oauth_providers set secrets_sealed = (
      select secrets_sealed from app_oauth_providers where app_id = ${app.id} and provider = 'apple')
    where app_id = ${app.id} and provider = 'corp'`;
  assert.equal((await app.begin(new Browser(), "corp")).status, 500);
});

Deno.test("a provider that is removed is gone, and whoever signed in by it stays signed in", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const { refresh_token } = (await app.signIn("corp")).body;
  const removed = await p.json("DELETE", place(app.id, "corp"));
  assert.deepEqual([removed.status, removed.body.provider], [200, "corp"]);
  for (const method of ["GET", "PATCH", "DELETE"]) {
    for (const provider of ["corp", "google", "%00", "__proto__"]) {
      const options = method === "PATCH" ? { body: { enabled: true } } : {};
      const { status, body } = await p.json(method, place(app.id, provider), options);
      assert.deepEqual([status, body.error.code], [404, "RESOURCE_NOT_FOUND"], `${method} ${provider}`);
    }
  }
  assert.equal((await app.begin(new Browser(), "corp")).status, 404);
  const refreshed = await p.json("POST", `/auth/${app.id}/refresh`, { key: null, body: { refresh_token } });
  assert.equal(refreshed.status, 200);
});

Deno.test("each mistake names its field, and stores nothing", async () => {
  const app = await OAuthApp.make(p, idp);
  const good = { provider: "corp", ...client, redirect_uris: [app.callback("corp")], ...idp.urls() };
  const mistakes: [path: string, fields: Record<string, unknown>][] = [
    ["provider", { provider: undefined }],
    ["provider", { provider: "" }],
    ["provider", { provider: "a/b" }],
    ["provider", { provider: "x".repeat(65) }],
    ["provider", { provider: "email" }],
    ["provider", { provider: "magic_link" }],
    ["provider", { provider: "Google" }],
    ["client_id", { client_id: "" }],
    ["client_id", { client_id: 7 }],
    ["client_secret", { client_secret: undefined }],
    ["client_secret", { client_secret: "x".repeat(4097) }],
    ["redirect_uris", { redirect_uris: undefined }],
    ["redirect_uris", { redirect_uris: [] }],
    ["redirect_uris.0", { redirect_uris: ["/callback"] }],
    ["redirect_uris.0", { redirect_uris: ["javascript:alert(1)"] }],
    ["redirect_uris.0", { redirect_uris: ["https://a.example/#x"] }],
    ["scopes.0", { scopes: ["openid email"] }],
    ["scopes", { scopes: "openid" }],
    ["authorization_url", { authorization_url: "javascript:alert(1)" }],
    ["authorization_url", { authorization_url: "http://idp.example.com/" }],
    ["token_url", { token_url: "http://idp.example.com/" }],
    ["token_url", { token_url: "https://user:pw@idp.example.com/" }],
    ["userinfo_url", { userinfo_url: "file:///etc/passwd" }],
    ["provider_metadata", { provider_metadata: [] }],
    ["provider_metadata", { provider_metadata: { note: "x".repeat(40_000) } }],
    ["provider_metadata.privateKey", { provider_metadata: { privateKey: "no key" } }],
    ["provider_metadata.pkce", { provider_metadata: { pkce: "no" } }],
    ["provider_metadata.jwks_uri", { provider_metadata: { jwks_uri: "http://idp.example.com/" } }],
    ["provider_metadata.token_endpoint_auth_method", {
      provider_metadata: { token_endpoint_auth_method: "none" },
    }],
  ];
  for (const [path, fields] of mistakes) {
    const { status, body } = await p.json("POST", place(app.id), { body: { ...good, ...fields } });
    assert.deepEqual([status, body.error?.code], [400, "VALIDATION_INVALID_SCHEMA"], path);
    const paths = body.error.details.map((issue: { path: string[] }) => issue.path.join("."));
    assert.deepEqual(paths, [path], JSON.stringify(fields).slice(0, 100));
    assert.ok(body.error.message.includes(path));
  }
  assert.deepEqual((await p.json("GET", place(app.id))).body.configs, []);
  await app.configure("corp");
  for (
    const body of [{}, { unknown: 1 }, { enabled: "yes" }, { redirect_uris: ["x"] }, { client_id: null }, []]
  ) {
    const answer = await p.json("PATCH", place(app.id, "corp"), { body: JSON.stringify(body) });
    assert.deepEqual(
      [answer.status, answer.body.error?.code],
      [400, "VALIDATION_INVALID_SCHEMA"],
      JSON.stringify(body),
    );
  }
});

Deno.test("nothing of the providers is left of an app that was deleted", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  await app.begin(new Browser(), "corp");
  assert.equal((await p.json("DELETE", `/apps/${app.id}`)).status, 200);
  for (let tries = 0;; tries++) {
    const left = await p.sql`
      select 1 from app_oauth_providers where app_id = ${app.id}
      union all select 1 from oauth_sign_ins where app_id = ${app.id}`;
    if (left.length === 0) break;
    assert.ok(tries < 100, "rows are left");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});
