import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeArray, decoderOf, encodeParameter } from "./database_values.ts";

const decode = (oid: number, text: string) => decoderOf(oid)(new TextEncoder().encode(text));

Deno.test("parameters take PostgreSQL's text form", () => {
  const cases: [unknown, string | null][] = [
    [null, null],
    [undefined, null],
    ["it's", "it's"],
    [1.5, "1.5"],
    [12n, "12"],
    [true, "true"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [new Uint8Array([0, 255]), "\\x00ff"],
    [{ a: [1] }, '{"a":[1]}'],
    [[1, null, 'a"b\\c'], '{"1",NULL,"a\\"b\\\\c"}'],
    [[[1, 2], [3, 4]], '{{"1","2"},{"3","4"}}'],
    [[], "{}"],
  ];
  for (const [value, text] of cases) assert.equal(encodeParameter(value), text);
});

Deno.test("what cannot be a parameter says so", () => {
  assert.throws(() => encodeParameter(() => {}), /function cannot be a query parameter/);
  assert.throws(() => encodeParameter(Symbol("x")), /symbol cannot be a query parameter/);
  assert.throws(() => encodeParameter(new Date(NaN)), /invalid Date/);
});

Deno.test("an int8 is a number while that is exact, and a string beyond", () => {
  assert.equal(decode(20, "9007199254740991"), 9007199254740991);
  assert.equal(decode(20, "9007199254740993"), "9007199254740993");
  assert.equal(decode(20, "-9223372036854775808"), "-9223372036854775808");
});

Deno.test("types become what the contract's table says", () => {
  assert.equal(decode(16, "t"), true);
  assert.equal(decode(16, "f"), false);
  assert.equal(decode(1700, "1.10"), "1.10");
  assert.equal(decode(701, "1e-7"), 1e-7);
  assert.equal(decode(701, "NaN"), NaN);
  assert.deepEqual(decode(3802, '{"a":1}'), { a: 1 });
  assert.deepEqual(decode(17, "\\x00ff"), new Uint8Array([0, 255]));
  assert.deepEqual(decode(1184, "2025-06-01 10:05:00.25+02"), new Date("2025-06-01T08:05:00.250Z"));
  assert.deepEqual(decode(1114, "2025-06-01 10:05:00"), new Date("2025-06-01T10:05:00Z"));
  assert.deepEqual(decode(1082, "2025-06-01"), new Date("2025-06-01T00:00:00Z"));
  assert.equal(decode(1184, "infinity"), "infinity");
  assert.equal(decode(99999, "{whatever}"), "{whatever}");
});

Deno.test("arrays come back nested, with NULL and quoted items, and with bounds of their own", () => {
  assert.deepEqual(decode(1016, "{1,NULL,9007199254740993}"), [1, null, "9007199254740993"]);
  assert.deepEqual(decode(1007, "[0:1]={1,2}"), [1, 2]);
  assert.deepEqual(decode(1009, '{a,"NULL","x,}\\"y"}'), ["a", "NULL", 'x,}"y']);
  assert.deepEqual(decode(1007, "{{1,2},{3,4}}"), [[1, 2], [3, 4]]);
  assert.deepEqual(decode(1007, "{}"), []);
});

Deno.test("an array of strings survives the way to PostgreSQL's text form and back", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), (items) => {
      assert.deepEqual(decodeArray(encodeParameter(items) as string, (item) => item), items);
    }),
  );
});
