import assert from "node:assert/strict";
import { RestartBackoff } from "./restart_backoff.ts";

/** How long after its last end a version waits for its next host, when `count` ended `everyMs` apart. */
function delay(count: number, everyMs: number): number {
  const backoff = new RestartBackoff();
  let now = 1000;
  for (let end = 0; end < count; end++) backoff.ended(now += everyMs);
  for (let waited = 0;; waited += 10) if (backoff.allows(now + waited)) return waited;
}

Deno.test("the first ends hold nothing up, many in a row do, and never for longer than a second", () => {
  assert.equal(new RestartBackoff().allows(0), true);
  assert.deepEqual([1, 2, 3].map((count) => delay(count, 100)), [0, 0, 0]);
  assert.ok(delay(5, 100) > 100);
  assert.ok(delay(6, 100) > delay(5, 100));
  assert.equal(delay(1000, 1), 1000);
});

Deno.test("hosts that end now and then are always started at once", () => {
  assert.equal(delay(1000, 5000), 0);
});
