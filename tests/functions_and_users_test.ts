// deno-lint-ignore-file no-explicit-any -- what a function answers is what a test looks at.
// Functions and the users who signed up for their app: over HTTP from the password to the row.

import assert from "node:assert/strict";
import { goodPassword, newEmail, TestUsers } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { openSchemaApp } from "./harness/schema_app.ts";

/** Connections to all apps together, and how many of them one app may have. */
const connections = 4;
const share = 2;

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({
    BUTTERBASE_AUTH_LIMITS: "off",
    BUTTERBASE_APP_CONNECTIONS: String(connections),
  });
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

interface Shop {
  app: string;
  users: TestUsers;
  /** Calls a function with this body, which must answer 200; what it answers. */
  call(url: string, bearer: string | null, body?: object): Promise<any>;
  /** Deploys a handler with this body, for everybody unless said otherwise. */
  add(name: string, body: string, auth?: "required" | "optional"): Promise<string>;
}

/** An app with orders, of which each user sees their own. */
async function openShop(): Promise<Shop> {
  const { id: app, done } = await openSchemaApp(p);
  const columns = {
    id: { type: "bigserial", primaryKey: true },
    user_id: { type: "text" },
    item: { type: "text" },
  };
  await done({ orders: { columns } });
  const isolated = await p.json("POST", `/v1/${app}/rls`, {
    body: { table_name: "orders", user_column: "user_id" },
  });
  assert.equal(isolated.status, 200);
  return {
    app,
    users: new TestUsers(p, app),
    add: (name, body, auth = "optional") =>
      p.deploy(app, name, `export default async (req, ctx) => {\n${body}\n}`, { auth }),
    async call(url, bearer, body = {}) {
      const answer = await p.json("POST", url, { key: bearer, body });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.body;
    },
  };
}

const order = `
  const { item } = await req.json();
  if (item !== undefined) await ctx.db.query("insert into orders (item) values ($1)", [item]);
  const { rows } = await ctx.db.query("select user_id, item from orders order by item");
  return Response.json({ user: ctx.user, rows });`;

Deno.test("a user who signs up and in is ctx.user, and ctx.db shows and enters only the user's own rows", async () => {
  const { users, add, call } = await openShop();
  const url = await add("order", order, "required");
  const [adaEmail, bobEmail] = [newEmail("ada"), newEmail("bob")];
  const [ada, bob] = [await users.signedIn(adaEmail), await users.signedIn(bobEmail)];

  await call(url, ada.access_token, { item: "apples" });
  const bobs = await call(url, bob.access_token, { item: "bread" });
  const adas = await call(url, ada.access_token);
  assert.deepEqual(adas.rows, [{ user_id: ada.user.id, item: "apples" }]);
  assert.deepEqual(bobs.rows, [{ user_id: bob.user.id, item: "bread" }]);

  for (const [{ user }, signedIn, email] of [[adas, ada, adaEmail], [bobs, bob, bobEmail]] as const) {
    assert.deepEqual([user.id, user.email], [signedIn.user.id, email]);
    const { sub, email: claimed, email_verified, app_id } = user.claims;
    assert.deepEqual([sub, claimed, email_verified, app_id], [user.id, email, false, users.app]);
  }
});

Deno.test("a refreshed token is the same user, with what became of the account since", async () => {
  const { users, add, call } = await openShop();
  const url = await add("order", order, "required");
  const email = newEmail();
  const first = await users.signedIn(email);
  await call(url, first.access_token, { item: "apples" });
  await users.post("verify-email", { email, code: await users.code(email, "email_verify") });
  const { status, body } = await users.post("refresh", { refresh_token: first.refresh_token });
  assert.equal(status, 200);
  const again = await call(url, body.access_token);
  assert.deepEqual([again.user.id, again.user.claims.email_verified], [first.user.id, true]);
  assert.deepEqual(again.rows, [{ user_id: first.user.id, item: "apples" }]);
});

Deno.test("a token of another app's user is nobody's, also where both have one address and one password", async () => {
  const [shop, other] = [await openShop(), await openShop()];
  const url = await shop.add("order", order);
  const required = await shop.add("closed", order, "required");
  const email = newEmail();
  const ours = await shop.users.signedIn(email);
  const theirs = await other.users.signedIn(email);
  await shop.call(url, ours.access_token, { item: "apples" });
  assert.deepEqual(await shop.call(url, theirs.access_token), { user: null, rows: [] });
  const refused = await p.json("POST", required, { key: theirs.access_token, body: {} });
  assert.deepEqual([refused.status, refused.body.error.code], [401, "AUTH_INVALID_TOKEN"]);
});

Deno.test("asUser, asAnon and asService of a user's call are one transaction each, in that role and with those claims", async () => {
  const { users, add, call } = await openShop();
  const url = await add(
    "roles",
    `
    const { other } = await req.json();
    const look = async (db) => {
      const ask = async () => (await db.query(
        "select pg_current_xact_id()::text as tx, current_user::text as role, current_user_id() as id, " +
        "nullif(current_setting('request.jwt.claims', true), '') as claims, " +
        "(select array_agg(item order by item) from orders) as items")).rows[0];
      const [first, second] = [await ask(), await ask()];
      return { oneTransaction: first.tx === second.tx, ...first, tx: undefined };
    };
    const seen = { plain: await look(ctx.db) };
    seen.user = await ctx.db.asUser(other, look);
    seen.anon = await ctx.db.asAnon(look);
    seen.service = await ctx.db.asService(look);
    seen.after = await look(ctx.db);
    return Response.json(seen);`,
  );
  const orders = await add("order", order);
  const [ada, bob] = [await users.signedIn(), await users.signedIn()];
  await call(orders, ada.access_token, { item: "apples" });
  await call(orders, bob.access_token, { item: "bread" });

  const seen = await call(url, ada.access_token, { other: bob.user.id });
  const claims = JSON.parse(seen.plain.claims);
  assert.deepEqual([claims.sub, claims.app_id], [ada.user.id, users.app]);
  const own = {
    oneTransaction: false,
    role: "butterbase_user",
    id: ada.user.id,
    claims: seen.plain.claims,
    items: ["apples"],
  };
  assert.deepEqual([seen.plain, seen.after], [own, own]);
  // There is no token of Bob's, and Ada's says nothing about him.
  assert.deepEqual(seen.user, {
    oneTransaction: true,
    role: "butterbase_user",
    id: bob.user.id,
    claims: null,
    items: ["bread"],
  });
  assert.deepEqual(seen.anon, {
    oneTransaction: true,
    role: "butterbase_anon",
    id: null,
    claims: null,
    items: null,
  });
  assert.deepEqual(seen.service, {
    oneTransaction: true,
    role: "butterbase_service",
    id: null,
    claims: null,
    items: ["apples", "bread"],
  });
});

Deno.test("a query inside a callback does not wait for the callback's transaction", async () => {
  const { users, add, call } = await openShop();
  const url = await add(
    "nested",
    `
    const count = async (db) => (await db.query("select count(*)::int as n from orders")).rows[0].n;
    return Response.json(await ctx.db.asService(async (db) => {
      await db.query("insert into orders (user_id, item) values ($1, 'inside')", [ctx.user.id]);
      const inside = await count(db);
      const beside = [await count(ctx.db), await ctx.db.asUser(ctx.user.id, count)];
      return { inside, beside, at: await count(db) };
    }));`,
    "required",
  );
  const { access_token } = await users.signedIn();
  assert.deepEqual(await call(url, access_token), { inside: 1, beside: [0, 0], at: 1 });
});

Deno.test("callbacks that hold every connection and want another end by a typed error, and the app goes on", async () => {
  const { users, add, call } = await openShop();
  const url = await add(
    "greedy",
    `
    const full = Promise.withResolvers();
    let held = 0;
    const outcome = (promise) => promise.then((value) => value, (error) => error.code);
    const callbacks = Array.from({ length: ${connections} }, () => ctx.db.asService(async () => {
      if (++held === ${share}) full.resolve();
      await full.promise;
      return await outcome(ctx.db.query("select item from orders").then(({ rows }) => rows.length));
    }));
    return Response.json(await Promise.all(callbacks.map(outcome)));`,
  );
  const { access_token } = await users.signedIn();
  const outcomes = await call(url, access_token);
  assert.equal(outcomes.length, connections);
  for (const outcome of outcomes) {
    assert.ok(outcome === "QUOTA_LIMIT_EXCEEDED" || outcome === 0, String(outcome));
  }
  assert.ok(outcomes.includes("QUOTA_LIMIT_EXCEEDED"), JSON.stringify(outcomes));
  const orders = await add("order", order);
  assert.deepEqual((await call(orders, access_token, { item: "mine" })).rows.length, 1);
});

Deno.test("a blocked user gets no new token, and the one at hand is good until it expires", async () => {
  const { app, users, add, call } = await openShop();
  const url = await add("order", order, "required");
  const email = newEmail();
  const { access_token, refresh_token, user } = await users.signedIn(email);
  const path = `/v1/${app}/admin/auth/users/${user.id}`;
  assert.equal((await p.json("PATCH", path, { body: { blocked: true } })).status, 200);
  for (
    const [route, body] of [["refresh", { refresh_token }], ["login", {
      email,
      password: goodPassword,
    }]] as const
  ) {
    assert.equal((await users.post(route, body)).status, 401, route);
  }
  assert.equal((await call(url, access_token, { item: "apples" })).rows.length, 1);
});
