// Refresh tokens and access tokens under attack: rotation, reuse, forgery, and the keys that sign.

import assert from "node:assert/strict";
import { exportJWK, exportSPKI, generateKeyPair, importJWK, jwtVerify, SignJWT } from "jose";
import { newEmail, TestUsers } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { tidyUsers } from "../auth/users/upkeep.ts";

let p: TestPlatform;
let users: TestUsers;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_TRUST_PROXY: "on" });
  users = new TestUsers(p, await p.createApp());
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const refresh = (refresh_token: string, of = users) => of.post("refresh", { refresh_token });
const refused = async (token: string, of = users) => {
  const { status, body } = await refresh(token, of);
  assert.deepEqual([status, body.error?.code], [401, "AUTH_INVALID_TOKEN"]);
};

/** As if the last rotations had been a minute ago. */
const aMinuteLater = () =>
  p.sql`update end_user_refresh_tokens set rotated_at = rotated_at - interval '1 minute'`;

Deno.test("refresh exchanges the token for a new one with a full life, and says who the user is", async () => {
  const first = await users.signedIn();
  const { status, body } = await refresh(first.refresh_token);
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), Object.keys(first).sort());
  assert.deepEqual(body.user, first.user);
  assert.match(body.refresh_token, /^[\w-]{32}$/);
  assert.notEqual(body.refresh_token, first.refresh_token);
  const [row] = await p.sql`
    select bool_and(expires_at - created_at = interval '7 days') as full from end_user_refresh_tokens`;
  assert.equal(row?.["full"], true);
  assert.equal((await refresh(body.refresh_token)).status, 200);
});

Deno.test("a token used a second time ends the session for whoever holds it, and no other session", async () => {
  const email = newEmail();
  const stolen = await users.signedIn(email);
  const other = (await users.post("login", { email, password: "Correct-horse-7" })).body;
  const thief = (await refresh(stolen.refresh_token)).body;
  await aMinuteLater();
  await refused(stolen.refresh_token);
  await refused(thief.refresh_token);
  assert.equal((await refresh(other.refresh_token)).status, 200);
});

Deno.test("a former token that is used after its successor was ends the session, also within the grace", async () => {
  const first = (await users.signedIn()).refresh_token;
  const second = (await refresh(first)).body.refresh_token;
  const third = (await refresh(second)).body.refresh_token;
  await refused(first);
  await refused(third);
});

Deno.test("of many who refresh at once one rotates: all get the same successor, and the chain does not fork", async () => {
  const { refresh_token } = await users.signedIn();
  const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refresh_token)));
  const successors = new Set(answers.map(({ body }) => body.refresh_token));
  assert.deepEqual(answers.map(({ status }) => status), Array(10).fill(200));
  assert.equal(successors.size, 1);
  const [successor] = successors;
  // A retry of a call whose answer was lost is the same.
  assert.equal((await refresh(refresh_token)).body.refresh_token, successor);
  const [session] = await p.sql`
    select count(*)::int as tokens from end_user_refresh_tokens group by session_id
    order by max(created_at) desc limit 1`;
  assert.equal(session?.["tokens"], 2);
  assert.equal((await refresh(successor)).status, 200);
  await refused(refresh_token);
});

Deno.test("no refresh for a token that is unknown, expired, another app's, or of a user who is blocked or gone", async () => {
  await refused("x".repeat(32));
  await refused("' or true --");
  const other = new TestUsers(p, await p.createApp());
  const { refresh_token } = await other.signedIn();
  await refused(refresh_token);
  assert.equal((await refresh(refresh_token, other)).status, 200);

  const [expired, blocked, gone] = [await users.signedIn(), await users.signedIn(), await users.signedIn()];
  await p.sql`
    update end_user_refresh_tokens t set expires_at = now() from end_user_sessions s
    where s.id = t.session_id and s.user_id = ${expired.user.id}`;
  const path = `/v1/${users.app}/admin/auth/users`;
  await p.json("PATCH", `${path}/${blocked.user.id}`, { body: { blocked: true } });
  await p.json("DELETE", `${path}/${gone.user.id}`);
  for (const { refresh_token: token } of [expired, blocked, gone]) await refused(token);
  for (const { access_token } of [blocked, gone]) {
    assert.equal((await users.get("me", access_token)).status, 404);
  }
  await p.json("PATCH", `${path}/${blocked.user.id}`, { body: { blocked: false } });
  await refused(blocked.refresh_token);
});

Deno.test("upkeep forgets what has expired, and nothing that still counts", async () => {
  const [old, live] = [await users.signedIn(), await users.signedIn()];
  await p.sql`
    update end_user_refresh_tokens t set expires_at = now() - interval '1 second' from end_user_sessions s
    where s.id = t.session_id and s.user_id = ${old.user.id}`;
  await p.sql`update end_user_sessions set created_at = created_at - interval '1 hour'`;
  await tidyUsers(p.sql);
  const sessions = (id: string) => p.sql`select 1 from end_user_sessions where user_id = ${id}`;
  assert.equal((await sessions(old.user.id)).length, 0);
  assert.equal((await sessions(live.user.id)).length, 1);
  assert.equal((await refresh(live.refresh_token)).status, 200);
});

Deno.test("an access token has the contract's claims and verifies against the published keys", async () => {
  const { access_token, user } = await users.signedIn();
  const { body, headers } = await users.get(".well-known/jwks.json");
  assert.equal(headers.get("cache-control"), "public, max-age=300");
  assert.equal(body.keys.length, 1);
  assert.deepEqual(Object.keys(body.keys[0]).sort(), ["alg", "e", "kid", "kty", "n", "use"]);
  assert.equal(body.keys[0].kid.length, 16);
  const { payload, protectedHeader } = await jwtVerify(access_token, await importJWK(body.keys[0], "RS256"));
  assert.deepEqual(protectedHeader, { alg: "RS256", kid: body.keys[0].kid });
  const { iat, exp, ...claims } = payload;
  assert.equal(Number(exp) - Number(iat), 3600);
  assert.deepEqual(claims, {
    sub: user.id,
    email: user.email,
    email_verified: false,
    app_id: users.app,
    iss: `butterbase:app:${users.app}`,
  });
});

Deno.test("forged tokens are refused: other algorithms, other keys, other apps, kids that are not the app's", async () => {
  const { access_token, user } = await users.signedIn();
  const other = new TestUsers(p, await p.createApp());
  const foreign = (await other.signedIn()).access_token;
  const [head = "", payload = "", signature = ""] = access_token.split(".");
  const { kid } = JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(head, { alphabet: "base64url" })),
  );
  const jwk = (await users.get(".well-known/jwks.json")).body.keys[0];
  const encode = (value: object) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  const own = await generateKeyPair("RS256", { extractable: true });
  const sign = (header: object, key: CryptoKey | Uint8Array) =>
    new SignJWT({}).setProtectedHeader(header as never).setSubject(user.id)
      .setIssuer(`butterbase:app:${users.app}`).setExpirationTime("1h").sign(key);
  const pem = await exportSPKI(await importJWK(jwk, "RS256", { extractable: true }) as CryptoKey);
  const forged = {
    unsigned: `${encode({ alg: "none", kid })}.${payload}.`,
    "unsigned with a signature": `${encode({ alg: "none", kid })}.${payload}.${signature}`,
    "the public key as HMAC secret": await sign({ alg: "HS256", kid }, new TextEncoder().encode(pem)),
    "the JWK as HMAC secret": await sign(
      { alg: "HS256", kid },
      new TextEncoder().encode(JSON.stringify(jwk)),
    ),
    "a key of one's own under the app's kid": await sign({ alg: "RS256", kid }, own.privateKey),
    "a key of one's own in the header": await sign(
      { alg: "RS256", kid: "mine", jwk: await exportJWK(own.publicKey) },
      own.privateKey,
    ),
    "a kid that is a path": await sign({ alg: "RS256", kid: "../../dev/null" }, own.privateKey),
    "a kid that is SQL": await sign({ alg: "RS256", kid: "' or '1'='1" }, own.privateKey),
    "no kid": await sign({ alg: "RS256" }, own.privateKey),
    "another payload": `${head}.${encode({ sub: "other" })}.${signature}`,
    "another app's token": foreign,
  };
  for (const [what, token] of Object.entries(forged)) {
    const { status, body } = await users.get("me", token);
    assert.deepEqual([status, body.error?.code], [401, "AUTH_INVALID_TOKEN"], what);
  }
  assert.equal((await users.get("me", access_token)).status, 200);
});

Deno.test("a rotated key verifies on until its tokens expire; one that is ended does not, on any node", async () => {
  await using second = await startTestPlatform({ BUTTERBASE_TRUST_PROXY: "on" }, { joining: p });
  const mine = new TestUsers(p, await p.createApp());
  const there = new TestUsers(second, mine.app);
  const path = `/v1/${mine.app}/admin/auth/signing-keys`;
  const email = newEmail();
  const former = await mine.signedIn(email);
  assert.equal((await there.get("me", former.access_token)).status, 200);

  const rotated = await p.json("POST", `${path}/rotate`);
  assert.equal(rotated.status, 200);
  assert.deepEqual(rotated.body.keys.map(({ signs }: { signs: boolean }) => signs), [true, false]);
  const present = (await mine.post("login", { email, password: "Correct-horse-7" })).body;
  const kidOf = (token: string) => JSON.parse(atob(token.split(".")[0] as string)).kid;
  assert.deepEqual(rotated.body.keys.map(({ kid }: { kid: string }) => kid), [
    kidOf(present.access_token),
    kidOf(former.access_token),
  ]);
  const published = (await mine.get(".well-known/jwks.json")).body.keys;
  assert.deepEqual(published.map(({ kid }: { kid: string }) => kid).length, 2);
  await until(async () => (await there.get("me", present.access_token)).status === 200);
  for (const  of of[mine, there]) assert.equal((await of.get("me", former.access_token)).status, 200);
  const [secrets] = await p.sql`
    select count(*)::int as held from app_signing_keys where app_id = ${mine.app} and private_sealed <> ''`;
  assert.equal(secrets?.["held"], 1);

  assert.equal((await p.json("POST", `${path}/rotate`, { body: { former: "end" } })).status, 200);
  for (const token of [former.access_token, present.access_token]) {
    assert.equal((await mine.get("me", token)).status, 401);
    await until(async () => (await there.get("me", token)).status === 401);
  }
  assert.equal((await mine.get(".well-known/jwks.json")).body.keys.length, 1);
  const next = (await refresh(present.refresh_token, mine)).body;
  await until(async () => (await there.get("me", next.access_token)).status === 200);
  for (const body of ['{"former":"x"}', "[]", "null", "{"]) {
    const { status } = await p.json("POST", `${path}/rotate`, { body });
    assert.equal(status, 400, body);
  }
});

Deno.test("many first sign-ins at once make one key", async () => {
  const app = await p.createApp();
  await Promise.all(Array.from({ length: 5 }, (_, at) => p.userToken(app, `u${at}`)));
  assert.equal((await new TestUsers(p, app).get(".well-known/jwks.json")).body.keys.length, 1);
});

/** Awaits what another node learns by notice. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail("the other node did not learn of it");
}
