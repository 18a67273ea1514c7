// Keys against a real control database, with a clock wound by hand.

import assert from "node:assert/strict";
import type { Clock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import { type AccountId, type AppId, newAppId, newUuid } from "../core/ids.ts";
import type { Sql } from "../db/mod.ts";
import { disableAccount, insertAccount } from "../db/queries/accounts.ts";
import { openTestDatabase, type TestDatabase } from "../db/testing.ts";
import { createPlatformKeys, newPlatformKey, type PlatformKeys } from "./platform_keys.ts";

interface World extends AsyncDisposable {
  sql: Sql;
  keys: PlatformKeys;
  owner: AccountId;
  /** Moves the clock on. */
  wind(ms: number): void;
  /** Questions put to the database so far. */
  questions(): number;
  /** Another node's view of the same keys. */
  otherNode(sql?: Sql): Promise<PlatformKeys>;
}

async function world({ operator = false } = {}): Promise<World> {
  const test: TestDatabase = await openTestDatabase();
  const { control: sql, notices } = test.database;
  let now = 1_000_000;
  const clock: Clock = { now: () => now, monotonic: () => now };
  let asked = 0;
  const counted = tagged(sql, (answer) => (asked++, answer));
  const owner = newUuid<AccountId>();
  await insertAccount(sql, { id: owner, email: `${owner}@example.com`, name: "Owner", operator });
  return {
    sql,
    owner,
    keys: await createPlatformKeys({ sql: counted, notices, clock }),
    wind: (ms) => void (now += ms),
    questions: () => asked,
    otherNode: (other = sql) => createPlatformKeys({ sql: other, notices, clock }),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

/** The same client, with every answer to a question passing through `change`. */
function tagged(sql: Sql, change: (answer: PromiseLike<unknown>) => unknown): Sql {
  return new Proxy(sql, {
    apply(target, _this, given: Parameters<Sql>) {
      const answer = Reflect.apply(target, undefined, given);
      return Array.isArray(given[0]) && "raw" in given[0] ? change(answer) : answer;
    },
  });
}

const accountKey = { name: "ci", reach: { kind: "account" as const }, additionalScopes: [] };

Deno.test("a key that was made is known again, with its account and what it reaches", async () => {
  await using w = await world();
  const made = await w.keys.create(w.owner, accountKey);
  assert.match(made.key, /^bb_sk_[0-9a-f]{40}$/);
  assert.equal(made.prefix, made.key.slice(0, 12));
  assert.deepEqual(await w.keys.check(made.key), {
    kind: "platform",
    accountId: w.owner,
    keyId: made.keyId,
    scopes: ["*"],
    reach: { kind: "account" },
    operator: false,
  });
});

Deno.test("a key of one app reaches that app, and is never the operator's", async () => {
  await using w = await world({ operator: true });
  const appId = newAppId();
  const made = await w.keys.create(w.owner, { ...accountKey, reach: { kind: "app", appId } });
  const principal = await w.keys.check(made.key);
  assert.deepEqual(principal?.scopes, [`app:${appId}`, "ai:gateway"]);
  assert.deepEqual(principal?.reach, { kind: "app", appId });
  assert.equal(principal?.operator, false);
  const account = await w.keys.create(w.owner, accountKey);
  assert.equal((await w.keys.check(account.key))?.operator, true);
});

Deno.test("a key whose scopes name neither an app nor the account reaches nothing", async () => {
  await using w = await world({ operator: true });
  const { key, keyId } = await w.keys.create(w.owner, accountKey);
  for (const scopes of [[], ["ai:gateway"], ["app:"], ["app:*"], ["app:app_x"]]) {
    await w.sql`update platform_keys set scopes = ${scopes} where id = ${keyId}`;
    const principal = await (await w.otherNode()).check(key);
    assert.deepEqual(principal?.reach, { kind: "app", appId: "" as AppId }, scopes.join());
    assert.equal(principal?.operator, false);
  }
});

Deno.test("only the hash of a key is stored, with its first twelve characters", async () => {
  await using w = await world();
  const { key } = await w.keys.create(w.owner, accountKey);
  const rows = await w.sql`select platform_keys::text as row from platform_keys`;
  assert.equal(rows.length, 1);
  const text = String(rows[0]?.["row"]);
  assert.ok(!text.includes(key) && !text.includes(key.slice(13)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  assert.ok(text.includes(new Uint8Array(digest).toHex()) && text.includes(key.slice(0, 12)));
});

Deno.test("what does not look like a key is refused without asking the database", async () => {
  await using w = await world();
  const wrong = [
    "",
    "bb_sk_",
    "bb_sk_0",
    `bb_sk_${"G".repeat(40)}`,
    `bb_sk_${"0".repeat(41)}`,
    `${newPlatformKey()}\n`,
  ];
  for (const text of wrong) assert.equal(await w.keys.check(text), null);
  assert.equal(w.questions(), 0);
});

Deno.test("a good key is looked up once a minute, a wrong one once in ten seconds", async () => {
  await using w = await world();
  const { key } = await w.keys.create(w.owner, accountKey);
  const wrong = newPlatformKey();
  await w.keys.check(key);
  await w.keys.check(wrong);
  const before = w.questions();
  w.wind(9_999);
  for (let round = 0; round < 100; round++) await Promise.all([w.keys.check(key), w.keys.check(wrong)]);
  assert.equal(w.questions(), before);
  w.wind(2);
  await w.keys.check(wrong);
  assert.equal(w.questions(), before + 1);
  w.wind(50_000);
  await w.keys.check(key);
  assert.ok(w.questions() > before + 1);
});

Deno.test("a revoked key stops at once here, and on other nodes as soon as they hear of it", async () => {
  await using w = await world();
  const other = await w.otherNode();
  const { key, keyId } = await w.keys.create(w.owner, accountKey);
  assert.ok(await w.keys.check(key) !== null && await other.check(key) !== null);
  await w.keys.revoke(w.owner, keyId);
  assert.equal(await w.keys.check(key), null);
  const until = performance.now() + 1000;
  while (await other.check(key) !== null) {
    assert.ok(performance.now() < until, "the other node still takes it");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

Deno.test("a key that is revoked while it is being looked up is not remembered as good", async () => {
  await using w = await world();
  const answered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const slow = tagged(w.sql, (answer) =>
    Promise.resolve(answer).then(async (rows) => {
      answered.resolve();
      await released.promise;
      return rows;
    }));
  const other = await w.otherNode(slow);
  const { key, keyId } = await w.keys.create(w.owner, accountKey);
  const early = other.check(key);
  await answered.promise;
  await w.keys.revoke(w.owner, keyId);
  // By then the other node has heard of it.
  await new Promise((resolve) => setTimeout(resolve, 100));
  released.resolve();
  await early;
  assert.equal(await other.check(key), null);
});

Deno.test("only the owner revokes a key, once, and an id that is none is simply not found", async () => {
  await using w = await world();
  const stranger = newUuid<AccountId>();
  await insertAccount(w.sql, { id: stranger, email: "s@example.com", name: "S", operator: false });
  const { key, keyId } = await w.keys.create(w.owner, accountKey);
  const notFound = (error: unknown) => error instanceof AppError && error.code === "RESOURCE_NOT_FOUND";
  for (const id of ["", "x", "0".repeat(36), newUuid(), `${keyId}'`]) {
    await assert.rejects(w.keys.revoke(w.owner, id), notFound);
  }
  await assert.rejects(w.keys.revoke(stranger, keyId), notFound);
  assert.ok(await w.keys.check(key) !== null);
  await w.keys.revoke(w.owner, keyId);
  await assert.rejects(w.keys.revoke(w.owner, keyId), notFound);
  assert.equal((await w.keys.list(w.owner)).length, 0);
});

Deno.test("keys of a disabled account and keys past their time are no keys", async () => {
  await using w = await world();
  const { key, keyId } = await w.keys.create(w.owner, accountKey);
  await w.sql`update platform_keys set expires_at = now() - interval '1 second' where id = ${keyId}`;
  assert.equal(await w.keys.check(key), null);
  await w.sql`update platform_keys set expires_at = now() + interval '1 hour' where id = ${keyId}`;
  await w.keys.forgetAll();
  assert.ok(await w.keys.check(key) !== null);
  assert.equal(await disableAccount(w.sql, w.owner), true);
  await w.keys.forgetAll();
  assert.equal(await w.keys.check(key), null);
});

Deno.test("the list shows newest first what identifies a key, never its hash, and when it was last used", async () => {
  await using w = await world();
  const [first, second] = [
    await w.keys.create(w.owner, accountKey),
    await w.keys.create(w.owner, accountKey),
  ];
  await w.keys.check(first.key);
  const rows = await w.keys.list(w.owner);
  assert.deepEqual(rows.map(({ id }) => id), [second.keyId, first.keyId]);
  assert.ok(rows[1]?.last_used_at instanceof Date);
  assert.equal(rows[0]?.last_used_at, null);
  for (const row of rows) assert.ok(!("key_hash" in row));
});
