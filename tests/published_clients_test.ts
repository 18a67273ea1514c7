// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// What the published SDK and command line send, and what they read of the answers. They are not in npm's registry, so
// tests/harness/published_client.ts sends the same requests.

import assert from "node:assert/strict";
import { goodPassword, newEmail, TestUsers } from "./harness/end_users.ts";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { type ClientError, PublishedClient, type Result } from "./harness/published_client.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_AUTH_LIMITS: "off" });
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const columns = {
  id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
  user_id: { type: "text" },
  title: { type: "text" },
  rank: { type: "integer" },
};

/** The result's data; an error fails the test. */
async function done(made: Promise<Result>): Promise<any> {
  const { data, error } = await made;
  assert.equal(error, null, JSON.stringify(error));
  return data;
}

async function failed(made: Promise<Result>): Promise<ClientError> {
  const { error } = await made;
  assert.ok(error !== null, "it succeeded");
  assert.ok((error.remediation ?? "") !== "", error.code);
  return error;
}

interface World {
  app: string;
  admin: PublishedClient;
  /** A client of a browser, with the app's anon key. */
  client(): PublishedClient;
  signedIn(): Promise<PublishedClient>;
}

/** An app with notes, of which each user has their own, set up as the SDK does. */
async function openWorld(): Promise<World> {
  const app = await p.createApp();
  const options = { apiUrl: p.origin, appId: app };
  const admin = new PublishedClient({ ...options, anonKey: ownerKey });
  await done(admin.admin("POST", "schema/apply", { schema: { tables: { notes: { columns } } } }));
  await done(admin.admin("POST", "rls", { table_name: "notes", user_column: "user_id" }));
  const { anon_key: anonKey } = await done(admin.admin("GET", "config"));
  const client = () => new PublishedClient({ ...options, anonKey });
  return {
    app,
    admin,
    client,
    async signedIn() {
      const [made, account] = [client(), { email: newEmail(), password: goodPassword }];
      await done(made.signUp(account));
      await done(made.signIn(account));
      return made;
    },
  };
}

Deno.test("auth: signUp, signIn, getUser, refreshSession and signOut, with the anon key or an old token as bearer", async () => {
  const { client } = await openWorld();
  const account = { email: newEmail(), password: goodPassword };
  const browser = client();
  const signedUp = await done(browser.signUp({ ...account, metadata: { theme: "dark" } }));
  assert.equal(signedUp.user.email, account.email);
  assert.equal(typeof signedUp.message, "string");

  const signedIn = await done(browser.signIn(account));
  assert.deepEqual([signedIn.token_type, signedIn.user.id], ["Bearer", signedUp.user.id]);
  assert.ok(Number.isInteger(signedIn.expires_in));
  assert.equal((await done(browser.getUser())).email, account.email);

  const refreshed = await done(browser.refreshSession());
  assert.notEqual(refreshed.refresh_token, signedIn.refresh_token);
  assert.equal(refreshed.user.id, signedUp.user.id);
  assert.equal((await done(browser.getUser())).id, signedUp.user.id);

  const ended = browser.session;
  await done(browser.signOut());
  browser.session = ended;
  const { kind, code, status } = await failed(browser.refreshSession());
  assert.deepEqual([kind, code.startsWith("AUTH_"), status], ["AuthError", true, 401]);

  // The SDK's bearer may be long out of date when it signs in.
  browser.session = { access_token: "old", refresh_token: "old" };
  await done(browser.signIn(account));
});

Deno.test("auth: forgotPassword, and resetPassword with the one token that the SDK knows", async () => {
  const { app, client } = await openWorld();
  const account = { email: newEmail(), password: goodPassword };
  const browser = client();
  await done(browser.signUp(account));
  await done(browser.forgotPassword(account.email));
  const [mail] = await new TestUsers(p, app).mails(account.email, "password_reset");
  const token = /^[\w.-]{20,}$/m.exec(mail.text)?.[0];
  assert.ok(token !== undefined, mail.text);
  await done(browser.resetPassword(token, "Another-horse-8"));
  const refused = await failed(browser.signIn(account));
  assert.deepEqual([refused.kind, refused.status], ["AuthError", 401]);
  await done(browser.signIn({ ...account, password: "Another-horse-8" }));
});

Deno.test("data: select with filters, order and range, single, insert, update and delete", async () => {
  const { signedIn } = await openWorld();
  const [ada, bob] = [await signedIn(), await signedIn()];
  const first = await done(ada.from("notes").insert({ title: "one", rank: 1 }));
  assert.deepEqual([first.title, first.user_id], ["one", ada.session?.user.id]);
  const more = await done(ada.from("notes").insert([{ title: "two", rank: 2 }, { title: "three", rank: 3 }]));
  assert.deepEqual(more.map(({ title }: any) => title), ["two", "three"]);
  await done(bob.from("notes").insert({ title: "bob's", rank: 9 }));

  const titles = async (query: Promise<Result>) => (await done(query)).map(({ title }: any) => title);
  const notes = () => ada.from("notes");
  assert.deepEqual(await titles(notes().order("rank").read()), ["one", "two", "three"]);
  assert.deepEqual(await titles(notes().filter("rank", "gte", 2).order("rank", "desc").read()), [
    "three",
    "two",
  ]);
  assert.deepEqual(await titles(notes().in("title", ["one", "three"]).order("rank").read()), [
    "one",
    "three",
  ]);
  assert.deepEqual(await titles(notes().filter("title", "ilike", "T%").order("rank").range(1, 1).read()), [
    "three",
  ]);
  assert.deepEqual(await titles(notes().filter("user_id", "is", null).read()), []);
  assert.deepEqual(await done(notes().select("title,rank").filter("title", "eq", "one").read()), [
    { title: "one", rank: 1 },
  ]);
  assert.equal((await notes().filter("title", "eq", "two").single()).rank, 2);
  await assert.rejects(notes().single(), /2 rows/);
  await assert.rejects(notes().filter("title", "eq", "bob's").single(), /0 rows/);

  const byId = () => ada.from("notes").filter("id", "eq", first.id);
  assert.equal((await done(byId().update({ title: "uno" }))).title, "uno");
  const changed = await done(notes().filter("title", "eq", "two").update({ rank: 20 }));
  assert.deepEqual(changed.map(({ rank }: any) => rank), [20]);
  const hidden = await failed(bob.from("notes").filter("id", "eq", first.id).delete());
  assert.deepEqual([hidden.kind, hidden.status], ["NotFoundError", 404]);
  await done(byId().delete());
  await done(notes().filter("rank", "eq", 3).delete());
  assert.deepEqual(await titles(notes().read()), ["two"]);
});

Deno.test("errors have the three keys by which the SDK tells them apart", async () => {
  const { app, client, signedIn, admin } = await openWorld();
  const [ada, nobody] = [await signedIn(), client()];
  const email = newEmail();
  await done(nobody.signUp({ email, password: goodPassword }));
  const seen = async (made: Promise<Result>) => {
    const { kind, status, code } = await failed(made);
    return [kind, status, code];
  };
  assert.deepEqual(await seen(ada.from("notes").filter("nope", "eq", 1).read()), [
    "ValidationError",
    400,
    "VALIDATION_INVALID_SCHEMA",
  ]);
  assert.equal((await seen(ada.from("missing").read()))[1], 404);
  assert.deepEqual(await seen(nobody.from("notes").insert({ title: "x" })), [
    "AuthError",
    403,
    "AUTH_RLS_POLICY_VIOLATION",
  ]);
  assert.deepEqual((await seen(nobody.signUp({ email, password: goodPassword })))[1], 409);
  assert.deepEqual(await seen(nobody.signUp({ email: newEmail(), password: "short" })), [
    "ValidationError",
    400,
    "VALIDATION_INVALID_SCHEMA",
  ]);
  assert.equal((await seen(nobody.getUser()))[0], "AuthError");
  assert.equal((await seen(ada.admin("GET", "schema")))[0], "AuthError");
  await done(admin.admin("PATCH", "config/pause", { paused: true, reason: "tests" }));
  assert.deepEqual(await seen(ada.from("notes").read()), ["NetworkError", 503, "APP_PAUSED"]);
  assert.equal((await p.json("GET", `/v1/${app}/config`)).status, 200);
});

Deno.test("admin: schema, migrations, rls, config.secure and updateAccessMode", async () => {
  const { app, admin, client } = await openWorld();
  const tables = { posts: { columns: { ...columns, shown: { type: "boolean", default: false } } } };
  const planned = await done(admin.admin("POST", "schema/apply", { schema: { tables }, dry_run: true }));
  assert.equal(planned.dry_run, true);
  for (const { sql, description, destructive } of planned.statements) {
    assert.deepEqual([typeof sql, typeof description, destructive], ["string", "string", false]);
  }
  await done(admin.admin("POST", "schema/apply", { schema: { tables }, name: "posts" }));
  const { app_id, schema } = await done(admin.admin("GET", "schema"));
  assert.deepEqual([app_id, Object.keys(schema.tables).sort()], [app, ["notes", "posts"]]);
  // `schema get` of the command line writes a file that `schema apply` takes.
  assert.equal((await done(admin.admin("POST", "schema/apply", { schema }))).applied, 0);
  const { migrations } = await done(admin.admin("GET", "migrations"));
  assert.ok(migrations.some(({ description }: any) => description === "posts"), JSON.stringify(migrations));

  await done(admin.admin("POST", "rls/enable", { table_name: "posts" }));
  const policy = { table_name: "posts", policy_name: "shown", command: "SELECT", using_expression: "shown" };
  const created = await done(admin.admin("POST", "rls/policies", policy));
  assert.deepEqual([created.success, created.table, created.policy_name], [true, "posts", "shown"]);
  const { policies, tables_with_rls } = await done(admin.admin("GET", "rls"));
  assert.ok(policies.some(({ policyname }: any) => policyname === "shown"));
  assert.deepEqual(tables_with_rls.toSorted(), ["notes", "posts"]);
  await done(admin.admin("DELETE", "rls/posts/shown"));
  await done(admin.admin("DELETE", "rls/posts"));

  const body = {
    tables: [{ table_name: "posts", user_column: "user_id", public_read_column: "shown" }],
  };
  const secured = await done(admin.admin("POST", "secure", body));
  assert.equal(secured.access_mode, "authenticated");
  assert.deepEqual(secured.tables_secured.map(({ table }: any) => table), ["posts"]);
  assert.equal((await failed(client().from("posts").read())).code, "AUTH_REQUIRED");
  const { access_mode } = await done(
    admin.admin("PATCH", "config/access-mode", { access_mode: "public" }),
  );
  assert.equal(access_mode, "public");
  assert.deepEqual(await done(client().from("posts").read()), []);
});

Deno.test("functions.invoke is the user's own call, and deploy makes one that it can call", async () => {
  const { admin, signedIn } = await openWorld();
  await done(admin.admin("POST", "functions", {
    name: "mine",
    code: `export default async (req, ctx) => {
      const { rows } = await ctx.db.query("select title from notes");
      return Response.json({ email: ctx.user.email, said: await req.json(), rows });
    }`,
  }));
  const ada = await signedIn();
  await done(ada.from("notes").insert({ title: "hers" }));
  assert.deepEqual(await done(ada.invoke("mine", { hello: true })), {
    email: ada.session?.user.email,
    said: { hello: true },
    rows: [{ title: "hers" }],
  });
});
