// Which account somebody gets into whom a provider has identified.

import assert from "node:assert/strict";
import type { ProviderProfile } from "../auth/users/mod.ts";
import type { AppId } from "../core/ids.ts";
import { goodPassword, newEmail, TestUsers } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let users: TestUsers;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_TRUST_PROXY: "on" });
  users = new TestUsers(p, await p.createApp());
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

let people = 0;

function profile(fields: Partial<ProviderProfile> = {}): ProviderProfile {
  return {
    provider: "google",
    providerUid: `uid-${++people}`,
    email: newEmail(),
    emailVerified: true,
    displayName: "Ada",
    avatarUrl: null,
    ...fields,
  };
}

function enter(person: ProviderProfile) {
  const auth = { accessTokenTtl: "1h", refreshTokenTtlDays: 7 };
  return p.platform.endUsers.users.signInByProvider({ id: users.app as AppId, name: "x", auth }, person);
}

const refused = (person: ProviderProfile, code: string) =>
  assert.rejects(enter(person), (error) => (error as { code: string }).code === code);

Deno.test("an identity that is new makes an account, and finds it again by the provider's id alone", async () => {
  const person = profile();
  const first = await enter(person);
  assert.deepEqual([first.user.email_verified, first.user.display_name], [true, "Ada"]);
  const moved = newEmail();
  const second = await enter({
    ...person,
    email: moved,
    displayName: null,
    avatarUrl: "https://example.com/a.png",
  });
  assert.deepEqual(second.user, {
    id: first.user.id,
    email: moved,
    email_verified: true,
    display_name: "Ada",
    avatar_url: "https://example.com/a.png",
  });
  assert.equal((await users.get("me", second.access_token)).body.provider, "google");
  assert.equal((await users.post("refresh", { refresh_token: second.refresh_token })).status, 200);
  const { users: [row] } = (await p.json("GET", `/v1/${users.app}/admin/auth/users?search=${moved}`)).body;
  assert.deepEqual([row.provider, row.provider_uid], ["google", person.providerUid]);
});

Deno.test("an address moves only when the provider vouches for it, and never onto another account", async () => {
  const person = profile();
  const { user } = await enter(person);
  assert.equal(
    (await enter({ ...person, email: newEmail(), emailVerified: false })).user.email,
    person.email,
  );
  const taken = newEmail();
  await users.signUp(taken);
  const again = await enter({ ...person, email: taken });
  assert.deepEqual([again.user.id, again.user.email], [user.id, person.email]);
});

Deno.test("a vouched address opens its account, which keeps a password that it had confirmed", async () => {
  const email = newEmail();
  const { id } = await users.signUp(email);
  await users.post("verify-email", { email, code: await users.code(email, "email_verify") });
  const person = profile({ email: email.toUpperCase() });
  assert.equal((await enter(person)).user.id, id);
  assert.equal((await users.post("login", { email, password: goodPassword })).status, 200);
  assert.equal((await enter({ ...person, emailVerified: false })).user.id, id);
});

Deno.test("an address that the provider does not vouch for opens nothing", async () => {
  const email = newEmail("victim");
  await users.signUp(email);
  await refused(profile({ email, emailVerified: false }), "RESOURCE_CONFLICT");
  const free = await enter(profile({ emailVerified: false }));
  assert.equal(free.user.email_verified, false);
});

Deno.test("who prepared an account under somebody's address is out once its owner comes by a provider", async () => {
  const email = newEmail("victim");
  const attacker = await users.signedIn(email, "Attacker-pass-1");
  const owner = await enter(profile({ email }));
  assert.equal(owner.user.id, attacker.user.id);
  assert.equal((await users.post("login", { email, password: "Attacker-pass-1" })).status, 401);
  assert.equal((await users.post("refresh", { refresh_token: attacker.refresh_token })).status, 401);

  const prepared = profile({ provider: "custom", emailVerified: false });
  const former = await enter(prepared);
  await users.post("magic-link", { email: prepared.email });
  const code = await users.code(prepared.email, "magic_link");
  assert.equal((await users.post("magic-link/verify", { email: prepared.email, code })).status, 200);
  assert.equal((await users.post("refresh", { refresh_token: former.refresh_token })).status, 401);
  await refused(prepared, "RESOURCE_CONFLICT");
});

Deno.test("two identities of one provider do not share an account, and apps share nothing", async () => {
  const person = profile();
  const { user } = await enter(person);
  await refused(profile({ email: person.email }), "RESOURCE_CONFLICT");
  assert.equal((await enter(profile({ provider: "github", email: person.email }))).user.id, user.id);
  const auth = { accessTokenTtl: "1h", refreshTokenTtlDays: 7 };
  const other = await p.createApp();
  const there = await p.platform.endUsers.users.signInByProvider(
    { id: other as AppId, name: "x", auth },
    person,
  );
  assert.notEqual(there.user.id, user.id);
});

Deno.test("many callbacks of one person at once open one account; a blocked one is refused", async () => {
  const linked = profile();
  const { id } = await users.signUp(linked.email);
  const signedIn = await Promise.all(Array.from({ length: 8 }, () => enter(linked)));
  assert.deepEqual(signedIn.map(({ user }) => user.id), Array(8).fill(id));

  const person = profile();
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => enter(person)));
  const ids = answers.map((answer) => answer.status === "fulfilled" ? answer.value.user.id : answer.reason);
  assert.equal(new Set(ids).size, 1, String(ids));
  await p.json("PATCH", `/v1/${users.app}/admin/auth/users/${ids[0]}`, { body: { blocked: true } });
  await refused(person, "AUTH_FORBIDDEN");
});

Deno.test("what a provider says is believed as far as it is usable", async () => {
  for (const fields of [{ email: "nonsense" }, { providerUid: "" }, { providerUid: "x".repeat(501) }]) {
    await refused(profile(fields), "VALIDATION_INVALID_INPUT");
  }
  const { user } = await enter(profile({
    displayName: `Ada\r\nBcc: eve@example.com\0${"x".repeat(500)}`,
    avatarUrl: "javascript:alert(1)",
  }));
  assert.equal(user.avatar_url, null);
  assert.match(user.display_name ?? "", /^Ada Bcc: eve@example\.com x{1,200}$/);
});
