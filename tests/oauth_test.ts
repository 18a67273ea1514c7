// Sign-in by a provider, as browsers and apps see it: the whole way for every kind of provider, whose account it ends in,
// and each refusal of the contract.

import assert from "node:assert/strict";
import { Browser } from "./harness/browser.ts";
import { goodPassword, newEmail, newIp, TestUsers } from "./harness/end_users.ts";
import { client, IdentityProvider, openAddress } from "./harness/identity_provider.ts";
import { answerOf, appPage, OAuthApp } from "./harness/oauth.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let idp: IdentityProvider;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: openAddress, BUTTERBASE_TRUST_PROXY: "on" });
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
  idp.addresses = [];
  idp.idToken = (claims) => idp.sign(claims);
  idp.person = {
    sub: "p-1",
    email: "ada@example.com",
    email_verified: true,
    name: "Ada",
    picture: "https://pic.example/a",
  };
});

Deno.test("a sign-in goes to the provider and comes back to the app's page with tokens in its query", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp", { scopes: ["openid", "email"] });
  const browser = new Browser();
  const begun = await app.begin(browser, "corp", { redirect_to: appPage });
  assert.equal(begun.status, 302);
  assert.deepEqual([begun.headers.get("cache-control"), begun.headers.get("referrer-policy")], [
    "no-store",
    "no-referrer",
  ]);
  const there = new URL(begun.location as string);
  assert.equal(`${there.origin}${there.pathname}`, `${idp.origin}/authorize`);
  const { state = "", code_challenge = "", ...query } = Object.fromEntries(there.searchParams);
  assert.match(state, /^[\w-]{32}$/);
  assert.match(code_challenge, /^[\w-]{43}$/);
  assert.deepEqual(query, {
    client_id: client.client_id,
    redirect_uri: app.callback("corp"),
    response_type: "code",
    scope: "openid email",
    code_challenge_method: "S256",
  });
  const [cookie] = begun.headers.getSetCookie();
  assert.match(
    cookie ?? "",
    /^bb_oauth_[\w-]{12}=[\w-]{43}; Max-Age=600; Path=\/auth\/app_\w+\/oauth\/corp\/callback; HttpOnly; SameSite=Lax$/,
  );

  const back = await answerOf(
    await browser.go((await browser.go(there.href)).headers.get("location") as string),
  );
  assert.equal(back.status, 302);
  const page = new URL(back.location as string);
  assert.equal(`${page.origin}${page.pathname}${page.hash}`, "https://app.example.com/welcome#top");
  const { access_token = "", refresh_token = "", ...rest } = Object.fromEntries(page.searchParams);
  assert.deepEqual(rest, { from: "login", expires_in: "3600", token_type: "Bearer" });
  assert.equal(back.headers.get("cache-control"), "no-store");

  const me = await app.me(access_token);
  assert.deepEqual(
    [me.email, me.email_verified, me.display_name, me.avatar_url, me.provider],
    ["ada@example.com", true, "Ada", "https://pic.example/a", "corp"],
  );
  assert.equal((await new TestUsers(p, app.id).post("refresh", { refresh_token })).status, 200);
  const [user, ...others] = await app.users();
  assert.deepEqual([user.provider_uid, others.length], ["p-1", 0]);
});

Deno.test("without redirect_to the callback answers as a login does", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const { status, body } = await app.signIn("corp");
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), [
    "access_token",
    "expires_in",
    "refresh_token",
    "token_type",
    "user",
  ]);
  const { id, ...user } = body.user;
  assert.deepEqual(user, {
    email: "ada@example.com",
    email_verified: true,
    display_name: "Ada",
    avatar_url: "https://pic.example/a",
  });
  const again = await app.signIn("corp");
  assert.equal(again.body.user.id, id);
});

Deno.test("the app's post-auth hook is told of the sign-in, and a paused app still signs in", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  await p.deploy(
    app.id,
    "hook",
    `export default async (req) => { console.log(JSON.stringify(await req.json())); return new Response(); }`,
  );
  await p.json("PATCH", `/v1/${app.id}/config/auth-hooks`, { body: { post_auth_function: "hook" } });
  await p.json("PATCH", `/v1/${app.id}/config/pause`, { body: { paused: true } });
  assert.equal((await app.signIn("corp")).status, 200);
  const [line] = await p.logs(app.id, "hook");
  const { event, provider, isNewUser, user } = JSON.parse(line.consoleLogs[0].message);
  assert.deepEqual([event, provider, isNewUser, user.email], [
    "oauth_login",
    "corp",
    true,
    "ada@example.com",
  ]);
});

Deno.test("a verified address leads to the account that has it; an unverified one is a conflict and changes nothing", async () => {
  const app = await OAuthApp.make(p, idp);
  const users = new TestUsers(p, app.id);
  await app.configure("corp");
  const email = newEmail();
  const { id } = await users.signUp(email);
  idp.person = { sub: "p-9", email, email_verified: false };
  for (const claim of [false, undefined, null, "yes", 1]) {
    idp.person["email_verified"] = claim;
    const refused = await app.signIn("corp", { query: { redirect_to: appPage } });
    assert.deepEqual([refused.status, refused.body.error.code, refused.location], [
      409,
      "RESOURCE_CONFLICT",
      null,
    ]);
    assert.equal(refused.body.error.details.reason, "oauth_identity_already_linked");
  }
  assert.equal((await users.post("login", { email, password: goodPassword })).status, 200);
  assert.equal((await app.users())[0].email_verified, false);

  idp.person["email_verified"] = true;
  idp.person["email"] = email.toUpperCase();
  assert.equal((await app.signIn("corp")).body.user.id, id);
  assert.equal((await app.users()).length, 1);
});

Deno.test("each refusal of the start has the status of the contract and sends the browser nowhere", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  await app.configure("off");
  await p.json("PATCH", `/v1/${app.id}/auth/oauth-config/off`, { body: { enabled: false } });
  await app.configure("blank", { authorization_url: null, token_url: null, userinfo_url: null });
  await app.configure("half", { userinfo_url: null });
  const cases: [provider: string, query: Record<string, string>, status: number, code: string][] = [
    ["google", {}, 404, "RESOURCE_NOT_FOUND"],
    ["off", {}, 404, "RESOURCE_NOT_FOUND"],
    ["blank", {}, 404, "RESOURCE_NOT_FOUND"],
    ["half", {}, 404, "RESOURCE_NOT_FOUND"],
    ["%00", {}, 404, "RESOURCE_NOT_FOUND"],
    ["__proto__", {}, 404, "RESOURCE_NOT_FOUND"],
    ["corp", { redirect_uri: "https://evil.example/cb" }, 400, "VALIDATION_INVALID_INPUT"],
    ["corp", { redirect_to: "https://evil.example/" }, 400, "VALIDATION_INVALID_INPUT"],
    ["corp", { redirect_to: "" }, 400, "VALIDATION_INVALID_INPUT"],
  ];
  for (const [provider, query, status, code] of cases) {
    const answer = await app.begin(new Browser(), provider, query);
    assert.deepEqual(
      [answer.status, answer.body.error.code, answer.location],
      [status, code, null],
      provider,
    );
    assert.ok(answer.body.error.remediation.length > 0);
  }
  const right = await app.begin(new Browser(), "corp", { redirect_uri: app.callback("corp") });
  assert.equal(right.status, 302);
  for (const path of ["corp", "corp/callback?code=x&state=y"]) {
    const answer = await p.json("GET", `/auth/app_zzzzzzzzzzzz/oauth/${path}`, { key: null });
    assert.deepEqual([answer.status, answer.body.error.code], [404, "RESOURCE_NOT_FOUND"]);
  }
});

Deno.test("each refusal of the callback has the status of the contract, and none goes on to the app's page", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const query = { redirect_to: appPage };
  async function back(change: (url: URL) => void | Promise<void>) {
    const browser = new Browser();
    const url = new URL(await app.returnUrl(browser, "corp", query));
    await change(url);
    return await answerOf(await browser.go(url.href));
  }
  const cases: [string, (url: URL) => void | Promise<void>, number, string][] = [
    [
      "said no",
      (url) => {
        url.searchParams.delete("code");
        url.searchParams.set("error", "access_denied");
        url.searchParams.set("error_description", "<b>no\u0000</b>");
      },
      400,
      "AUTH_OAUTH_DENIED",
    ],
    ["no code", (url) => url.searchParams.delete("code"), 400, "AUTH_OAUTH_DENIED"],
    ["no state", (url) => url.searchParams.delete("state"), 400, "AUTH_OAUTH_STATE_INVALID"],
    ["bad state", (url) => url.searchParams.set("state", "x\0y"), 400, "AUTH_OAUTH_STATE_INVALID"],
    [
      "unknown state",
      (url) => url.searchParams.set("state", "A".repeat(32)),
      400,
      "AUTH_OAUTH_STATE_INVALID",
    ],
    ["two codes", (url) => url.searchParams.append("code", "other"), 400, "AUTH_OAUTH_DENIED"],
    ["wrong code", (url) => url.searchParams.set("code", "guessed"), 500, "AUTH_OAUTH_FAILED"],
    [
      "expired",
      async () => {
        await p.sql`update oauth_sign_ins set expires_at = now() where app_id = ${app.id}`;
      },
      400,
      "AUTH_OAUTH_STATE_INVALID",
    ],
    [
      "origin withdrawn",
      async () => {
        await p.json("PATCH", `/v1/${app.id}/config/cors`, {
          body: { allowed_origins: ["https://other.example"] },
        });
      },
      400,
      "VALIDATION_INVALID_INPUT",
    ],
  ];
  for (const [name, change, status, code] of cases) {
    const answer = await back(change);
    assert.deepEqual([answer.status, answer.body.error?.code, answer.location], [status, code, null], name);
    assert.doesNotMatch(answer.body.error.message, /[^\x20-\x7e]/, name);
  }
  await p.json("PATCH", `/v1/${app.id}/config/cors`, {
    body: { allowed_origins: ["https://app.example.com"] },
  });
  const gone = await back(async () => {
    await p.json("DELETE", `/v1/${app.id}/auth/oauth-config/corp`);
  });
  assert.deepEqual([gone.status, gone.body.error.code], [404, "RESOURCE_NOT_FOUND"]);
  assert.deepEqual(await app.users(), []);
});

Deno.test("the callback takes a form by POST, and nothing else", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  for (
    const [type, body, status] of [["application/json", "{}", 400], [
      "application/x-www-form-urlencoded",
      "a=1",
      400,
    ], [
      "application/x-www-form-urlencoded",
      `code=${"x".repeat(70_000)}`,
      413,
    ]] as const
  ) {
    const answer = await p.json("POST", `/auth/${app.id}/oauth/corp/callback`, {
      key: null,
      headers: { "content-type": type },
      body,
    });
    assert.equal(answer.status, status, type);
  }
});

Deno.test("a user whom the owner blocked cannot come in by a provider", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const { user } = (await app.signIn("corp")).body;
  await p.json("PATCH", `/v1/${app.id}/admin/auth/users/${user.id}`, { body: { blocked: true } });
  const answer = await app.signIn("corp", { query: { redirect_to: appPage } });
  assert.deepEqual([answer.status, answer.location], [403, null]);
});

Deno.test("who begins too many sign-ins from one address has to wait; others do not", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("corp");
  const begin = (ip: string) =>
    p.request("GET", `/auth/${app.id}/oauth/corp`, {
      key: null,
      headers: { "x-forwarded-for": ip },
      redirect: "manual",
    });
  const [ip, other] = [newIp(), newIp()];
  assert.equal((await begin(ip)).status, 302);
  await p.sql`update rate_windows set count = 300 where key like ${`${app.id} oauth ip ${ip}%`}`;
  const refused = await begin(ip);
  assert.deepEqual([refused.status, (await refused.json()).error.code], [429, "QUOTA_RATE_LIMIT"]);
  assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/);
  assert.equal((await begin(other)).status, 302);
});
