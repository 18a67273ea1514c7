import assert from "node:assert/strict";
import { AppError } from "./errors.ts";
import { Turnstile } from "./turnstile.ts";

Deno.test("no more than its number pass at once, in the order they came, also past one that throws", async () => {
  const turnstile = new Turnstile({ atOnce: 2, waiting: 10 });
  let inside = 0;
  let most = 0;
  const order: number[] = [];
  const works = Array.from({ length: 8 }, (_, at) =>
    turnstile.pass("do it", async () => {
      most = Math.max(most, ++inside);
      order.push(at);
      await new Promise((resolve) => setTimeout(resolve, 1));
      inside--;
      if (at === 3) throw new Error("no");
    }));
  const results = await Promise.allSettled(works);
  assert.equal(most, 2);
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(results.map(({ status }) => status === "rejected"), results.map((_, at) => at === 3));
  assert.equal(await turnstile.pass("go on", () => Promise.resolve("free")), "free");
});

Deno.test("beyond the queue's length work is refused at once, and is not done", async () => {
  const turnstile = new Turnstile({ atOnce: 1, waiting: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = turnstile.pass("do it", () => promise);
  const second = turnstile.pass("do it", () => Promise.resolve());
  await assert.rejects(
    turnstile.pass("do it", () => assert.fail("it was done")),
    (error: unknown) => error instanceof AppError && error.code === "QUOTA_RATE_LIMIT",
  );
  resolve();
  await Promise.all([first, second]);
});
