// How connections are shared out, with connections that are only counted.

import assert from "node:assert/strict";
import { ConnectionPool, type Lease, type Poolable, type PoolKey } from "./connection_pool.ts";

class Counted implements Poolable {
  static open = 0;
  isOpen = true;
  readonly #closed = Promise.withResolvers<void>();
  readonly closed = this.#closed.promise;
  constructor(readonly key: PoolKey) {
    Counted.open++;
  }
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    Counted.open--;
    this.#closed.resolve();
  }
}

interface World extends Disposable {
  pool: ConnectionPool<Counted>;
  wind(ms: number): void;
}

function world({ limit = 8, waitMs = 1000, idleMs = 30_000 } = {}): World {
  let now = 0;
  Counted.open = 0;
  const clock = { now: () => now, monotonic: () => now };
  const pool = new ConnectionPool<Counted>({
    open: (key) => Promise.resolve(new Counted(key)),
    limit,
    clock,
    waitMs,
    idleMs,
  });
  return {
    pool,
    wind: (ms) => {
      now += ms;
    },
    [Symbol.dispose]: () => pool.close(),
  };
}

const user = (database: string): PoolKey => ({ database, role: "user" });
const turn = () => new Promise((done) => setTimeout(done, 0));

Deno.test("a connection is used again, and never by two at once", async () => {
  using w = world();
  const first = await w.pool.acquire(user("a"));
  const second = await w.pool.acquire(user("a"));
  assert.notEqual(first.item, second.item);
  first.release("clean");
  first.release("clean");
  const third = await w.pool.acquire(user("a"));
  assert.equal(third.item, first.item);
  third.release("discard");
  second.release("clean");
  assert.equal(Counted.open, 1);
  assert.deepEqual(w.pool.stats(), { open: 1, idle: 1, leased: 0, waiting: 0, limit: 8 });
});

Deno.test("one database never holds more than its share, and the others go on", async () => {
  using w = world({ limit: 8 });
  await Promise.all([w.pool.acquire(user("a")), w.pool.acquire(user("a"))]);
  const waiting = w.pool.acquire(user("a"));
  waiting.catch(() => {});
  assert.equal(w.pool.stats().waiting, 1);
  await w.pool.acquire(user("b"));
  assert.equal(w.pool.stats().waiting, 1);
});

Deno.test("databases that wait are served in turn, however long one's line is", async () => {
  using w = world({ limit: 4 });
  const held = await Promise.all(["a", "a", "b", "b"].map((name) => w.pool.acquire(user(name))));
  const order: string[] = [];
  const served: Promise<void>[] = [];
  for (const name of ["a", "a", "a", "a", "c", "c"]) {
    served.push(
      w.pool.acquire(user(name)).then(async (lease: Lease<Counted>) => {
        order.push(name);
        await turn();
        lease.release("clean");
      }),
    );
  }
  for (const lease of held) lease.release("clean");
  await Promise.all(served);
  assert.ok(order.indexOf("c") <= 2, order.join(" "));
  assert.ok(Counted.open <= 4);
});

Deno.test("an idle connection of another database or role makes room", async () => {
  using w = world({ limit: 4 });
  for (const name of ["a", "b", "c", "d"]) (await w.pool.acquire(user(name))).release("clean");
  assert.equal(Counted.open, 4);
  await w.pool.acquire(user("e"));
  await w.pool.acquire({ database: "e", role: "service" });
  assert.equal(Counted.open, 4);
});

Deno.test("waiting ends: by the clock with the numbers, by an abort, by the pool's end", async () => {
  const w = world({ limit: 4, waitMs: 30 });
  await Promise.all([w.pool.acquire(user("a")), w.pool.acquire(user("a"))]);
  await assert.rejects(w.pool.acquire(user("a")), {
    code: "QUOTA_LIMIT_EXCEEDED",
    details: { limit: 2, used: 2, total_limit: 4, total_used: 2 },
  });
  const leaving = new AbortController();
  const aborted = w.pool.acquire(user("a"), leaving.signal);
  leaving.abort("gone");
  await assert.rejects(aborted, (reason) => reason === "gone");
  const last = w.pool.acquire(user("a"));
  w.pool.close();
  await assert.rejects(last, { code: "SERVER_DRAINING" });
  assert.equal(Counted.open, 0);
});

Deno.test("connections idle for long, and those that ended by themselves, are gone", async () => {
  using w = world({ idleMs: 60 });
  const [first, second] = await Promise.all([w.pool.acquire(user("a")), w.pool.acquire(user("a"))]);
  first.item.close();
  first.release("clean");
  second.release("clean");
  assert.equal(w.pool.stats().open, 1);
  w.wind(61);
  await new Promise((done) => setTimeout(done, 40));
  assert.equal(w.pool.stats().open, 0);
});

Deno.test("a failed opening is the waiter's error and takes no place", async () => {
  let failing = true;
  const pool = new ConnectionPool<Counted>({
    open: (key) => failing ? Promise.reject(new Error("refused")) : Promise.resolve(new Counted(key)),
    limit: 4,
    clock: { now: () => 0, monotonic: () => 0 },
  });
  for (let round = 0; round < 5; round++) await assert.rejects(pool.acquire(user("a")), /refused/);
  failing = false;
  assert.equal((await pool.acquire(user("a"))).item.isOpen, true);
  pool.close();
});

Deno.test("eight in quick use are enough: the next waits for one of them, and gets its own once they are slow", async () => {
  using w = world({ limit: 64 });
  const quick = await Promise.all(Array.from({ length: 8 }, () => w.pool.acquire(user("a"))));
  const ninth = w.pool.acquire(user("a"));
  assert.deepEqual(w.pool.stats(), { open: 8, idle: 0, leased: 8, waiting: 1, limit: 64 });
  const other = await w.pool.acquire({ database: "a", role: "service" });
  quick[2]?.release("clean");
  assert.equal((await ninth).item, quick[2]?.item);

  const tenth = w.pool.acquire(user("a"));
  w.wind(20);
  const late = await tenth;
  assert.ok([...quick, other].every(({ item }) => item !== late.item));
  assert.equal(Counted.open, 10);
});
