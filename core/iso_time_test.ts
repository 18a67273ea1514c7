import assert from "node:assert/strict";
import fc from "fast-check";
import { isoTime } from "./iso_time.ts";

Deno.test("instants are written as Date writes them", () => {
  fc.assert(fc.property(fc.date({ noInvalidDate: true }), (date) => {
    assert.equal(isoTime(date.getTime()), date.toISOString());
    assert.equal(
      isoTime(Math.floor(date.getTime() / 1000) * 1000),
      new Date(Math.floor(date.getTime() / 1000) * 1000).toISOString(),
    );
  }));
  assert.equal(isoTime(0), "1970-01-01T00:00:00.000Z");
  assert.throws(() => isoTime(NaN), RangeError);
});
