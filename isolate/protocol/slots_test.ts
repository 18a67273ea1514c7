import assert from "node:assert/strict";
import fc from "fast-check";
import { Slots, SlotTable } from "./slots.ts";

Deno.test("a number finds its value until it is deleted, and never another's", () => {
  const slots = new Slots<string>();
  const first = slots.add("first");
  assert.notEqual(first, 0);
  assert.equal(slots.delete(first), true);
  assert.equal(slots.delete(first), false);
  const second = slots.add("second");
  assert.notEqual(second, first);
  assert.deepEqual([slots.get(first), slots.get(second), slots.size], [undefined, "second", 1]);
});

Deno.test("a slot used as often as its numbers last starts again, and not with 0", () => {
  const slots = new Slots<number>();
  const ids = new Set<number>();
  for (let at = 0; at < 32_767; at++) {
    const id = slots.add(at);
    ids.add(id);
    slots.delete(id);
  }
  assert.equal(ids.size, 32_767);
  assert.ok(!ids.has(0) && Math.max(...ids) < 2 ** 31);
  assert.ok(ids.has(slots.add(0)));
});

Deno.test("whatever comes and goes, slots behave as a Map, on both sides", () => {
  fc.assert(fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (moves) => {
    const [ours, theirs, model] = [new Slots<number>(), new SlotTable<number>(), new Map<number, number>()];
    for (const [at, move] of moves.entries()) {
      const id = [...model.keys()][move];
      if (id === undefined) {
        const added = ours.add(at);
        theirs.put(added, at);
        model.set(added, at);
      } else for (const table of [ours, theirs, model]) table.delete(id);
      for (const slots of [ours, theirs]) {
        assert.equal(slots.size, model.size);
        assert.deepEqual([...slots.values()].sort(), [...model.values()].sort());
        for (const [key, value] of model) assert.equal(slots.get(key), value);
      }
    }
  }));
});
