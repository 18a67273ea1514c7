// Each kind of provider, the whole way: what it is asked, and how its answer becomes a user.

import assert from "node:assert/strict";
import { IdentityProvider, openAddress } from "./harness/identity_provider.ts";
import { OAuthApp } from "./harness/oauth.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let idp: IdentityProvider;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: openAddress });
  idp = await IdentityProvider.start();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
  await idp[Symbol.asyncDispose]();
});
Deno.test.beforeEach(() => {
  idp.asked.length = 0;
});

interface KindCase {
  person: Record<string, unknown>;
  addresses?: unknown;
  fields?: object;
  user: [email: string, verified: boolean, name: string | null, picture: string | null];
  /** Looks at what the provider was asked. */
  asked?: (asked: IdentityProvider["asked"]) => void;
}

const verifier = (asked: IdentityProvider["asked"]) =>
  asked.find(({ path }) => path === "/token")?.form.get("code_verifier");
const paths = (asked: IdentityProvider["asked"]) =>
  asked.map(({ path }) => path).filter((path) => path !== "/jwks");
const authorize = (asked: IdentityProvider["asked"]) =>
  asked.find(({ path }) => path === "/authorize")?.query ?? new URLSearchParams();

const kinds: Record<string, () => KindCase> = {
  google: () => ({
    person: {
      sub: "g1",
      email: "ada@example.com",
      email_verified: true,
      name: "Ada",
      picture: "https://pic.example/g",
    },
    fields: { provider_metadata: { issuer: idp.origin, jwks_uri: idp.jwks } },
    user: ["ada@example.com", true, "Ada", "https://pic.example/g"],
    asked: (asked) => {
      assert.deepEqual(paths(asked), ["/authorize", "/token"]);
      const query = authorize(asked);
      assert.deepEqual([query.get("scope"), query.get("access_type")], ["openid email profile", "offline"]);
      assert.match(query.get("nonce") ?? "", /^[\w-]{43}$/);
      assert.match(verifier(asked) ?? "", /^[\w-]{43}$/);
    },
  }),
  github: () => ({
    person: { id: 7, login: "ada", name: null, email: null, avatar_url: "https://pic.example/h" },
    addresses: [
      { email: "second@example.com", primary: false, verified: true },
      { email: "first@example.com", primary: true, verified: true },
    ],
    user: ["first@example.com", true, "ada", "https://pic.example/h"],
    asked: (asked) => {
      assert.deepEqual(paths(asked), ["/authorize", "/token", "/userinfo", "/userinfo/emails"]);
      assert.equal(authorize(asked).get("scope"), "user:email");
      assert.ok(asked.every(({ path, headers }) => path === "/authorize" || headers.get("user-agent")));
    },
  }),
  discord: () => ({
    person: {
      id: "80351110224678912",
      username: "ada",
      global_name: "Ada",
      avatar: "8342",
      email: "ada@example.com",
      verified: true,
    },
    user: ["ada@example.com", true, "Ada", "https://cdn.discordapp.com/avatars/80351110224678912/8342.png"],
  }),
  facebook: () => ({
    person: {
      id: "9",
      name: "Ada",
      email: "ada@example.com",
      picture: { data: { url: "https://pic.example/f" } },
    },
    user: ["ada@example.com", false, "Ada", "https://pic.example/f"],
    asked: (asked) => {
      assert.equal(authorize(asked).get("scope"), "email,public_profile");
      assert.equal(asked.at(-1)?.query.get("fields"), "id,email,name,first_name,last_name,picture");
    },
  }),
  linkedin: () => ({
    person: { sub: "l1", email: "ada@example.com", email_verified: true, name: "Ada" },
    fields: { provider_metadata: { issuer: idp.origin, jwks_uri: idp.jwks } },
    user: ["ada@example.com", true, "Ada", null],
    asked: (asked) => {
      assert.deepEqual(paths(asked), ["/authorize", "/token"]);
      assert.deepEqual([authorize(asked).get("nonce"), verifier(asked)], [null, null]);
    },
  }),
  microsoft: () => ({
    person: { id: "m1", mail: null, userPrincipalName: "ada@example.com", displayName: "Ada" },
    user: ["ada@example.com", false, "Ada", null],
  }),
  apple: () => ({
    person: { sub: "a1", email: "ada@example.com", email_verified: "true" },
    fields: {
      client_secret: "",
      provider_metadata: {
        issuer: idp.origin,
        jwks_uri: idp.jwks,
        teamId: "TEAM1",
        keyId: "KEY1",
        privateKey: idp.applePrivateKey,
      },
    },
    user: ["ada@example.com", true, "ada", null],
    asked: (asked) => {
      const query = authorize(asked);
      assert.deepEqual([query.get("response_type"), query.get("response_mode")], [
        "code id_token",
        "form_post",
      ]);
      assert.match(query.get("nonce") ?? "", /^[\w-]{43}$/);
    },
  }),
  x: () => ({
    person: { data: { id: "5", name: "Ada", username: "ada_l", profile_image_url: "https://pic.example/x" } },
    user: ["ada_l@users.noreply.x.local", false, "Ada", "https://pic.example/x"],
    asked: (asked) => {
      assert.match(
        asked.find(({ path }) => path === "/token")?.headers.get("authorization") ?? "",
        /^Basic /,
      );
      assert.equal(asked.at(-1)?.query.get("user.fields"), "profile_image_url");
      assert.match(verifier(asked) ?? "", /^[\w-]{43}$/);
    },
  }),
};

for (const [provider, kind] of Object.entries(kinds)) {
  Deno.test(`${provider}: the profile is read as this provider gives it`, async () => {
    const { person, addresses = [], fields = {}, user, asked } = kind();
    const app = await OAuthApp.make(p, idp);
    await app.configure(provider, fields);
    [idp.person, idp.addresses] = [person, addresses];
    const answer = await app.signIn(provider, { query: { redirect_to: "https://app.example.com/" } });
    assert.equal(answer.status, 302, JSON.stringify(answer.body));
    const token = new URL(answer.location as string).searchParams.get("access_token") ?? "";
    const me = await app.me(token);
    assert.deepEqual([me.email, me.email_verified, me.display_name, me.avatar_url, me.provider], [
      ...user,
      provider,
    ]);
    asked?.(idp.asked);
  });
}

Deno.test("an address that the provider does not vouch for stays unverified: discord, github, and without any", async () => {
  const app = await OAuthApp.make(p, idp);
  await app.configure("discord");
  await app.configure("github");
  idp.person = { id: "1", username: "eve", email: "eve@example.com", verified: false };
  assert.equal((await app.signIn("discord")).body.user.email_verified, false);
  idp.person = { id: "2", username: "mute" };
  const { email, email_verified } = (await app.signIn("discord")).body.user;
  assert.deepEqual([email, email_verified], ["2@users.noreply.discord.local", false]);
  idp.person = { id: 3, login: "zoe", email: "zoe@example.com" };
  idp.addresses = [{ email: "zoe@example.com", primary: true, verified: false }];
  assert.equal((await app.signIn("github")).body.user.email_verified, false);
});
