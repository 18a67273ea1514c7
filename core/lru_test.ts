import assert from "node:assert/strict";
import fc from "fast-check";
import { Lru } from "./lru.ts";

Deno.test("Lru forgets what was not used for long once it is full", () => {
  const lru = new Lru<string, number>(4);
  for (const [at, key] of ["a", "b", "c"].entries()) lru.set(key, at);
  lru.get("a");
  lru.set("d", 3);
  assert.deepEqual(["a", "b", "c", "d"].map((key) => lru.get(key)), [0, undefined, 2, 3]);
});

Deno.test("whatever comes, the last half of what was used is there, and what was set last", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(5)), { maxLength: 100 }), (uses) => {
    const lru = new Lru<number, number>(6);
    let recent: number[] = [];
    const values = new Map<number, number>();
    for (const [key, value] of uses) {
      lru.set(key, value);
      values.set(key, value);
      recent = [...recent.filter((used) => used !== key), key].slice(-3);
      for (const used of recent) assert.equal(lru.get(used), values.get(used));
    }
  }));
});

Deno.test("setting a key again makes it no larger", () => {
  const lru = new Lru<string, number>(4);
  for (const value of [1, 2, 3]) lru.set("a", value);
  assert.deepEqual([lru.get("a"), lru.size], [3, 1]);
});

Deno.test("Lru never holds more than its limit, whatever comes", () => {
  const lru = new Lru<number, number>(100);
  for (let at = 0; at < 10_000; at++) {
    lru.set(at, at);
    assert.ok(lru.size <= 100);
  }
  assert.equal(lru.get(9_950), 9_950);
  assert.equal(lru.get(9_899), undefined);
});

Deno.test("values that are false or null are kept like any other", () => {
  const lru = new Lru<string, unknown>(6);
  for (const [key, value] of Object.entries({ a: null, b: false, c: 0 })) lru.set(key, value);
  assert.deepEqual(["a", "b", "c"].map((key) => lru.get(key)), [null, false, 0]);
});

Deno.test("delete() and clear() forget at once", () => {
  const lru = new Lru<string, number>(4);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.delete("a");
  lru.delete("never there");
  assert.deepEqual([lru.get("a"), lru.size], [undefined, 1]);
  lru.clear();
  assert.deepEqual([lru.get("b"), lru.size], [undefined, 0]);
});
