import assert from "node:assert/strict";
import { Lru } from "./lru.ts";

Deno.test("Lru forgets what was used longest ago once it is full", () => {
  const lru = new Lru<string, number>(3);
  for (const [at, key] of ["a", "b", "c"].entries()) lru.set(key, at);
  lru.get("a");
  lru.set("d", 3);
  assert.deepEqual(["a", "b", "c", "d"].map((key) => lru.get(key)), [0, undefined, 2, 3]);
});

Deno.test("setting a key again counts as using it and makes it no larger", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.set("a", 3);
  lru.set("c", 4);
  assert.deepEqual(["a", "b", "c"].map((key) => lru.get(key)), [3, undefined, 4]);
  assert.equal(lru.size, 2);
});

Deno.test("Lru never holds more than its limit, whatever comes", () => {
  const lru = new Lru<number, number>(100);
  for (let at = 0; at < 10_000; at++) {
    lru.set(at, at);
    assert.ok(lru.size <= 100);
  }
  assert.equal(lru.get(9_900), 9_900);
  assert.equal(lru.get(9_899), undefined);
});

Deno.test("values that are false or null are kept like any other", () => {
  const lru = new Lru<string, unknown>(3);
  for (const [key, value] of Object.entries({ a: null, b: false, c: 0 })) lru.set(key, value);
  assert.deepEqual(["a", "b", "c"].map((key) => lru.get(key)), [null, false, 0]);
});

Deno.test("delete() and clear() forget at once", () => {
  const lru = new Lru<string, number>(3);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.delete("a");
  lru.delete("never there");
  assert.deepEqual([lru.get("a"), lru.size], [undefined, 1]);
  lru.clear();
  assert.deepEqual([lru.get("b"), lru.size], [undefined, 0]);
});
