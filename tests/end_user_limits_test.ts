// How often strangers may try, and what happens when a thousand come at once.

import assert from "node:assert/strict";
import { type Answer, goodPassword, newEmail, newIp, TestUsers } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_TRUST_PROXY: "on" });
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const code = "123456";
const routes: Record<string, { limit: number; body: (email: string) => object }> = {
  signup: { limit: 5, body: (email) => ({ email, password: goodPassword }) },
  login: { limit: 10, body: (email) => ({ email, password: "Wrong-horse-7" }) },
  "magic-link": { limit: 5, body: (email) => ({ email }) },
  "magic-link/verify": { limit: 10, body: (email) => ({ email, code }) },
  "verify-email": { limit: 10, body: (email) => ({ email, code }) },
  "forgot-password": { limit: 3, body: (email) => ({ email }) },
  "reset-password": { limit: 5, body: (email) => ({ email, code, new_password: goodPassword }) },
};

function assertLimited({ status, body, headers }: Answer, limit: number): void {
  assert.deepEqual([status, body.error.code], [429, "QUOTA_RATE_LIMIT"]);
  assert.equal(headers.get("x-ratelimit-limit"), String(limit));
  assert.equal(headers.get("x-ratelimit-remaining"), "0");
  const reset = Number(headers.get("x-ratelimit-reset"));
  assert.ok(reset > 0 && reset <= 900, String(reset));
  assert.equal(headers.get("retry-after"), String(reset));
}

for (const [route, { limit, body }] of Object.entries(routes)) {
  Deno.test(`${route} takes ${limit} in 15 minutes from one client, and for one account`, async () => {
    const users = new TestUsers(p, await p.createApp());
    const ip = newIp();
    for (let tries = 1; tries <= limit; tries++) {
      const { status, headers } = await users.post(route, body(newEmail()), { ip });
      assert.notEqual(status, 429);
      if (status < 300) assert.equal(headers.get("x-ratelimit-remaining"), String(limit - tries));
    }
    assertLimited(await users.post(route, body(newEmail()), { ip }), limit);
    assert.notEqual((await users.post(route, body(newEmail()))).status, 429, "another client");
    const other = new TestUsers(p, await p.createApp());
    assert.notEqual((await other.post(route, body(newEmail()), { ip })).status, 429, "another app");

    const email = newEmail();
    for (let tries = 1; tries <= limit; tries++) {
      assert.notEqual((await users.post(route, body(email))).status, 429);
    }
    assertLimited(await users.post(route, body(email.toUpperCase())), limit);
  });
}

Deno.test("refresh is limited for each session, and for each client that sends what is no token", async () => {
  const users = new TestUsers(p, await p.createApp());
  const [one, two] = [await users.signedIn(), await users.signedIn()];
  let token = one.refresh_token;
  for (let tries = 0; tries < 20; tries++) {
    const { status, body } = await users.post("refresh", { refresh_token: token });
    assert.equal(status, 200);
    token = body.refresh_token;
  }
  assertLimited(await users.post("refresh", { refresh_token: token }), 20);
  assert.equal((await users.post("refresh", { refresh_token: two.refresh_token })).status, 200);
  const ip = newIp();
  for (let tries = 0; tries < 20; tries++) {
    assert.equal((await users.post("refresh", { refresh_token: `wrong-${tries}` }, { ip })).status, 401);
  }
  assertLimited(await users.post("refresh", { refresh_token: "wrong" }, { ip }), 20);
});

Deno.test("attempts count on whichever node they come to, and a window that is over begins again", async () => {
  await using second = await startTestPlatform({ BUTTERBASE_TRUST_PROXY: "on" }, { joining: p });
  const app = await p.createApp();
  const nodes = [new TestUsers(p, app), new TestUsers(second, app)];
  const ip = newIp();
  const ask = (at: number) =>
    (nodes[at % 2] as TestUsers).post("forgot-password", { email: newEmail() }, { ip });
  for (let at = 0; at < 3; at++) assert.equal((await ask(at)).status, 200);
  assertLimited(await ask(1), 3);
  await p.sql`update rate_windows set resets_at = now()`;
  // A node that has refused remembers it; the other one asks.
  assert.equal((await ask(0)).status, 200);
});

Deno.test("a client does not get another address by saying so: the one that the proxy added counts", async () => {
  const users = new TestUsers(p, await p.createApp());
  const [mine, other] = [newIp(), newIp()];
  const ask = (ip: string) => users.post("forgot-password", { email: newEmail() }, { ip });
  for (let at = 1; at <= 3; at++) assert.equal((await ask(`${newIp()}, ${mine}`)).status, 200);
  assertLimited(await ask(`${newIp()}, ${newIp()},${mine}`), 3);
  assert.equal((await ask(`${mine}, ${other}`)).status, 200);
});

Deno.test("IPv6 clients are counted by their network", async () => {
  const users = new TestUsers(p, await p.createApp());
  const ask = (ip: string) => users.post("forgot-password", { email: newEmail() }, { ip });
  for (let at = 1; at <= 3; at++) assert.equal((await ask(`2001:db8:1:2::${at}`)).status, 200);
  assertLimited(await ask("2001:db8:1:2:ffff::4"), 3);
  assert.equal((await ask("2001:db8:1:3::1")).status, 200);
});

Deno.test("with BUTTERBASE_AUTH_LIMITS=off nobody is limited", async () => {
  await using free = await startTestPlatform({ BUTTERBASE_AUTH_LIMITS: "off" }, { joining: p });
  const users = new TestUsers(free, await p.createApp());
  for (let tries = 0; tries < 8; tries++) {
    const { status, headers } = await users.post("forgot-password", { email: "a@example.com" });
    assert.deepEqual([status, headers.get("x-ratelimit-limit")], [200, null]);
  }
});

Deno.test("a thousand logins at once are answered or told when to come back, and the node answers others", async () => {
  const users = new TestUsers(p, await p.createApp());
  const emails = await Promise.all(Array.from({ length: 10 }, async () => {
    const email = newEmail();
    await users.signUp(email);
    return email;
  }));
  let done = false;
  const logins = Promise.all(
    Array.from({ length: 1000 }, (_, at) =>
      users.post(
        "login",
        at < 100 ? { email: emails[at % 10], password: goodPassword } : {
          email: newEmail(),
          password: goodPassword,
        },
      )),
  ).finally(() => (done = true));
  let asides = 0;
  while (!done) {
    assert.equal((await p.json("GET", "/health", { key: null })).status, 200);
    asides++;
  }
  const answers = await logins;
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  assert.equal(count(200) + count(401) + count(429), 1000);
  assert.ok(count(200) > 0 && asides > 0);
  for (const { status, headers } of answers) {
    if (status === 429) assert.ok(Number(headers.get("retry-after")) > 0);
  }
});
