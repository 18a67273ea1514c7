import assert from "node:assert/strict";
import { Batcher, type BatcherParts } from "./batcher.ts";

/** A batcher whose writes go to `written`, each when `gate` lets it. */
function collecting(options: Partial<BatcherParts<number>> = {}) {
  const written: number[][] = [];
  const failures: { error: unknown; dropped: number }[] = [];
  const batcher = new Batcher<number>({
    write: (rows) => {
      written.push([...rows]);
      return Promise.resolve();
    },
    everyMs: 20,
    batch: 100,
    limit: 1000,
    onFailure: (error, dropped) => failures.push({ error, dropped }),
    ...options,
  });
  return { batcher, written, failures };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("rows that come together are written together, after a short while", async () => {
  const { batcher, written } = collecting();
  for (let at = 0; at < 5; at++) batcher.add(at);
  assert.deepEqual(written, []);
  await pause(60);
  assert.deepEqual(written, [[0, 1, 2, 3, 4]]);
});

Deno.test("a full batch is written at once, and no write holds more than a batch", async () => {
  const { batcher, written } = collecting({ batch: 10, everyMs: 60_000 });
  for (let at = 0; at < 25; at++) batcher.add(at);
  await batcher.flush();
  assert.deepEqual(written.flat(), Array.from({ length: 25 }, (_, at) => at));
  assert.ok(written.every((rows) => rows.length <= 10));
});

Deno.test("no two writes run at the same time, and the order stays", async () => {
  let running = 0;
  const seen: number[] = [];
  const { batcher } = collecting({
    batch: 3,
    everyMs: 1,
    write: async (rows) => {
      assert.equal(++running, 1);
      await pause(2);
      seen.push(...rows);
      running--;
    },
  });
  for (let at = 0; at < 40; at++) {
    batcher.add(at);
    if (at % 7 === 0) await pause(1);
  }
  await batcher.flush();
  assert.deepEqual(seen, Array.from({ length: 40 }, (_, at) => at));
});

Deno.test("flush() resolves only when what was added before is written, however many ask for it at once", async () => {
  const written: number[] = [];
  const { batcher } = collecting({
    everyMs: 60_000,
    write: async (rows) => {
      await pause(20);
      written.push(...rows);
    },
  });
  batcher.add(1);
  const flushes = [1, 2, 3].map(async () => {
    await batcher.flush();
    return [...written];
  });
  assert.deepEqual(await Promise.all(flushes), [[1], [1], [1]]);
});

Deno.test("what cannot be written is tried again, in order and with what came since", async () => {
  let broken = true;
  const { batcher, failures } = collecting({
    everyMs: 5,
    write: (rows) => {
      if (broken) return Promise.reject(new Error("no database"));
      written.push([...rows]);
      return Promise.resolve();
    },
  });
  const written: number[][] = [];
  batcher.add(1);
  await batcher.flush();
  assert.ok(failures.length > 0);
  batcher.add(2);
  broken = false;
  await pause(100);
  assert.deepEqual(written.flat(), [1, 2]);
  assert.equal(batcher.waiting, 0);
});

Deno.test("beyond the limit the oldest rows are dropped, and the next failure says how many", async () => {
  const { batcher, failures } = collecting({
    batch: 10_000,
    limit: 100,
    everyMs: 60_000,
    write: () => Promise.reject(new Error("no database")),
  });
  for (let at = 0; at < 250; at++) batcher.add(at);
  assert.ok(batcher.waiting <= 100);
  const waiting = batcher.waiting;
  await batcher.flush();
  assert.equal(failures.reduce((sum, { dropped }) => sum + dropped, 0), 250 - waiting);
  assert.equal(batcher.waiting, waiting);
  await batcher.close();
});

Deno.test("close() writes what is left, and starts nothing afterwards even when it could not", async () => {
  let tries = 0;
  const { batcher } = collecting({
    everyMs: 1,
    write: () => {
      tries++;
      return Promise.reject(new Error("no database"));
    },
  });
  batcher.add(1);
  await batcher.close();
  const before = tries;
  await pause(30);
  assert.ok(before >= 1);
  assert.equal(tries, before);
});
