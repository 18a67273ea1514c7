// Attacks on the sign-in by a provider: on what binds it to app, provider and browser, on the ID token, and on where the
// tokens go. Nobody gets in.

import assert from "node:assert/strict";
import fc from "fast-check";
import { exportJWK, generateKeyPair } from "jose";
import { Browser } from "./harness/browser.ts";
import { client, IdentityProvider, openAddress } from "./harness/identity_provider.ts";
import { type Answer, answerOf, appPage, OAuthApp } from "./harness/oauth.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let idp: IdentityProvider;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: openAddress, BUTTERBASE_AUTH_LIMITS: "off" });
  idp = await IdentityProvider.start();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
  await idp[Symbol.asyncDispose]();
});
Deno.test.beforeEach(() => {
  idp.asked.length = 0;
  idp.redirectFields = {};
  idp.instead = {};
  idp.idToken = (claims) => idp.sign(claims);
  idp.person = { sub: "p-1", email: "ada@example.com", email_verified: true, name: "Ada" };
});

const oidc = () => ({ provider_metadata: { issuer: idp.origin, jwks_uri: idp.jwks } });
const asked = (path: string) => idp.asked.filter((each) => each.path === path).length;

/** With every cookie that the browser has, whatever path it is for. */
async function withAllCookies(browser: Browser, url: string): Promise<Answer> {
  const cookie = browser.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  return await answerOf(await fetch(url, { headers: { cookie }, redirect: "manual" }));
}

function refusedState({ status, body, location }: Answer, name: string): void {
  assert.deepEqual([status, body.error?.code, location], [400, "AUTH_OAUTH_STATE_INVALID", null], name);
}

Deno.test("a redirect works once, in the browser that began, for its app and provider", async () => {
  const [app, other] = [await OAuthApp.make(p, idp), await OAuthApp.make(p, idp)];
  for (const each of [app, other]) {
    for (const name of ["corp", "corp2"]) await each.configure(name);
  }
  const browser = new Browser();
  const url = await app.returnUrl(browser, "corp", { redirect_to: appPage });
  const elsewhere = new Browser();
  await app.begin(elsewhere, "corp");
  refusedState(await answerOf(await new Browser().go(url)), "no cookie");
  refusedState(await withAllCookies(elsewhere, url), "another browser's cookies");
  const renamed = new Browser();
  renamed.cookies.push(
    ...elsewhere.cookies.map((cookie) => ({ ...cookie, name: browser.cookies[0]?.name ?? "" })),
  );
  refusedState(await withAllCookies(renamed, url), "another browser's secret under this name");
  refusedState(await withAllCookies(browser, url.replace("/corp/", "/corp2/")), "another provider");
  refusedState(await withAllCookies(browser, url.replace(app.id, other.id)), "another app");
  assert.equal(asked("/token"), 0);

  assert.equal((await answerOf(await browser.go(url))).status, 302);
  refusedState(await answerOf(await browser.go(url)), "replay");
  assert.equal(asked("/token"), 1);
});

Deno.test("of callbacks at once with one redirect, one signs in", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const browser = new Browser();
  const url = await app.returnUrl(browser, "corp");
  const answers = await Promise.all(
    Array.from({ length: 8 }, async () => await answerOf(await browser.go(url))),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(7).fill(400)]);
  assert.equal(asked("/token"), 1);
});

Deno.test("a victim's code is of no use in the attacker's own sign-in", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  await app.configure("google", oidc());
  await app.configure("apple", oidc());
  for (const name of ["corp", "google"]) {
    const stolen = new URL(await app.returnUrl(new Browser(), name)).searchParams.get("code") ?? "";
    const attacker = new Browser();
    const url = new URL(await app.returnUrl(attacker, name));
    url.searchParams.set("code", stolen);
    const { status, body } = await answerOf(await attacker.go(url.href));
    assert.deepEqual([status, body.error?.code], [500, "AUTH_OAUTH_FAILED"], name);
    assert.match(body.error.message, /wrong code_verifier/);
  }
  const victim = new Browser();
  const theirs = await answerOf(await victim.go((await app.begin(victim, "apple")).location as string));
  const attacker = new Browser();
  const mine = await answerOf(await attacker.go((await app.begin(attacker, "apple")).location as string));
  const form = new URLSearchParams(mine.body.form);
  form.set("code", new URLSearchParams(theirs.body.form).get("code") ?? "");
  const { status, body } = await answerOf(
    await attacker.submitFromElsewhere(mine.body.action, form.toString()),
  );
  assert.equal(status, 500);
  assert.match(body.error.message, /nonce/);
  assert.deepEqual(await app.users(), []);
});

Deno.test("a redirect that names another issuer is refused before the code goes anywhere", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("google", oidc());
  await app.configure("github");
  const signIn = async (name: string, iss: string) => {
    idp.redirectFields = { iss };
    return await app.signIn(name);
  };
  for (const [name, iss] of [["google", "https://evil.example"], ["github", idp.origin]] as const) {
    const { status, body } = await signIn(name, iss);
    assert.deepEqual([status, body.error.code], [400, "AUTH_OAUTH_DENIED"], name);
    assert.match(body.error.message, /issuer/);
  }
  assert.equal(asked("/token"), 0);
  assert.equal((await signIn("google", idp.origin)).status, 200);
  idp.person = { id: 1, login: "ada", email: "ada2@example.com" };
  assert.equal((await signIn("github", "https://github.com/login/oauth")).status, 200);
});

Deno.test("an ID token that is not this provider's word to this client about this sign-in lets nobody in", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("google", oidc());
  const stranger = (await generateKeyPair("RS256")).privateKey;
  const publicJwk = JSON.stringify(await exportJWK(idp.keys.publicKey));
  const hmac = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(publicJwk),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const part = (value: object) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  const past = Math.floor(Date.now() / 1000) - 3600;
  const attacks: Record<string, typeof idp.idToken> = {
    "another key": (claims) => idp.sign(claims, stranger),
    "another key, unknown id": (claims) => idp.sign(claims, stranger, { kid: "k2" }),
    "its own key in the header": async (claims) =>
      idp.sign(claims, stranger, { jwk: await exportJWK((await generateKeyPair("RS256")).publicKey) }),
    "no signature": (claims) => Promise.resolve(`${part({ alg: "none" })}.${part(claims)}.`),
    "HS256 by the public key": (claims) => idp.sign(claims, hmac as never, { alg: "HS256" }),
    "changed after signing": async (claims) => {
      const [head, , signature] = (await idp.sign(claims)).split(".");
      return `${head}.${part({ ...claims, email: "boss@example.com" })}.${signature}`;
    },
    "another issuer": (claims) => idp.sign({ ...claims, iss: "https://evil.example" }),
    "another client": (claims) => idp.sign({ ...claims, aud: "client-2" }),
    "another client as well": (claims) => idp.sign({ ...claims, aud: [client.client_id, "client-2"] }),
    "for another client's use": (claims) =>
      idp.sign({ ...claims, aud: [client.client_id, "client-2"], azp: "client-2" }),
    "another nonce": (claims) => idp.sign({ ...claims, nonce: "x".repeat(43) }),
    "no nonce": ({ nonce: _, ...claims }) => idp.sign(claims),
    "expired": (claims) => idp.sign({ ...claims, exp: past }),
    "no expiry": ({ exp: _, ...claims }) => idp.sign(claims),
    "no subject": ({ sub: _, ...claims }) => idp.sign(claims),
    "subject of another type": (claims) => idp.sign({ ...claims, sub: 7 }),
    "not a token": () => Promise.resolve("nonsense"),
    "no address": ({ email: _, ...claims }) => idp.sign(claims),
  };
  for (const [name, attack] of Object.entries(attacks)) {
    idp.idToken = attack;
    const { status, body, location } = await app.signIn("google", { query: { redirect_to: appPage } });
    assert.deepEqual([status, body.error?.code, location], [500, "AUTH_OAUTH_FAILED", null], name);
    assert.ok(!JSON.stringify(body).includes("eyJ"), name);
  }
  assert.deepEqual(await app.users(), []);
  idp.idToken = (claims) => idp.sign(claims);
  assert.equal((await app.signIn("google")).status, 200);
});

Deno.test("tokens go to pages of the app's origins and to no others, however the URL is written", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const evil = [
    "https://evil.example/",
    "https://app.example.com.evil.example/",
    "https://app.example.com@evil.example/",
    "https://app.example.com:pw@evil.example/",
    "https://user@app.example.com/",
    "https://evil.example\\@app.example.com/",
    "https:\\\\evil.example",
    "https:/\\evil.example/",
    "//app.example.com/",
    "/welcome",
    "\\\\evil.example",
    "http://app.example.com/",
    "https://app.example.com:8443/",
    "https://APP.example.com.:443/",
    "https://sub.app.example.com/",
    "https://app.example.com%2eevil.example/",
    "https://app.example.com\u3002evil.example/",
    "javascript:alert(1)//https://app.example.com/",
    "data:text/html,x",
    "blob:https://app.example.com/x",
    "app.example.com",
    "null",
    `${p.origin}/v1/${app.id}/fn/steal`,
    `https://app.example.com/${"x".repeat(2048)}`,
  ];
  for (const target of evil) {
    const { status, body, location } = await app.begin(new Browser(), "corp", { redirect_to: target });
    assert.deepEqual([status, body.error?.code, location], [400, "VALIDATION_INVALID_INPUT", null], target);
  }
  const odd = [
    "https://app.example.com\\@evil.example/",
    "HTTPS://APP.EXAMPLE.COM:443/\r\nset-cookie: a=b",
    " https://app.example.com ",
  ];
  for (const target of odd) {
    const answer = await app.signIn("corp", { query: { redirect_to: target } });
    assert.equal(new URL(answer.location ?? "about:blank").origin, "https://app.example.com", target);
    assert.equal(answer.headers.getSetCookie().length, 0);
  }
});

Deno.test("what is stored of a sign-in under way is of no use to who reads it", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const browser = new Browser();
  const url = await app.returnUrl(browser, "corp");
  const [row] = await p.sql`select s::text as row from oauth_sign_ins s where app_id = ${app.id}`;
  const hidden = [
    new URL(url).searchParams.get("state"),
    new URL(url).searchParams.get("code"),
    browser.cookies[0]?.value,
  ];
  for (const secret of hidden) assert.ok(secret && !row?.["row"].includes(secret));
  await browser.go(url).then((answer) => answer.body?.cancel());
  assert.equal((await p.sql`select 1 from oauth_sign_ins where app_id = ${app.id}`).length, 0);
});

Deno.test("no query makes the callback answer anything but a refusal", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const names = fc.constantFrom("code", "state", "error", "iss", "id_token", "response", "redirect_to");
  const query = fc.array(fc.tuple(names, fc.string({ unit: "binary", maxLength: 40 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(query, fc.string({ maxLength: 20 }), async (pairs, cookie) => {
      const well = pairs.map(([name, value]) => [name, value.toWellFormed()]);
      const response = await fetch(`${app.callback("corp")}?${new URLSearchParams(well)}`, {
        headers: { cookie: `bb_oauth_${cookie.replace(/[^\x21-\x7e]/g, "")}=x` },
        redirect: "manual",
      });
      const { error } = await response.json();
      assert.deepEqual([response.status, error.code], [400, "AUTH_OAUTH_STATE_INVALID"]);
    }),
    { numRuns: 150 },
  );
});
