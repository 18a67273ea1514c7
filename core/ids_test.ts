import assert from "node:assert/strict";
import { isUuid, newAppId, newUuid, parseAppId } from "./ids.ts";

Deno.test("a new app id has the form that parseAppId() takes, and none comes twice", () => {
  const ids = Array.from({ length: 5000 }, newAppId);
  for (const id of ids) assert.equal(parseAppId(id), id);
  assert.equal(new Set(ids).size, ids.length);
});

Deno.test("every letter is as likely as the others in an app id", () => {
  const counts = new Map<string, number>();
  for (let at = 0; at < 6000; at++) {
    for (const letter of newAppId().slice(4)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  assert.equal(counts.size, 36);
  // 2000 each on average; a tenth off is five standard deviations.
  for (const [letter, count] of counts) assert.ok(Math.abs(count - 2000) < 240, `${letter}: ${count}`);
});

Deno.test("what is not exactly an app id is none", () => {
  const near = [
    "app_00000000000",
    "app_0000000000000",
    "app_00000000000A",
    "APP_000000000000",
    "app-000000000000",
  ];
  for (const text of [...near, "", "app_", " app_000000000000", "app_000000000000\n", "app_00000000000é"]) {
    assert.equal(parseAppId(text), undefined, JSON.stringify(text));
  }
});

Deno.test("isUuid() takes lower-case UUIDs whole, and nothing around them", () => {
  assert.ok(isUuid(newUuid()));
  const id = "0123abcd-0123-4abc-8abc-0123456789ab";
  assert.ok(isUuid(id));
  for (const text of [id.toUpperCase(), `${id}\n`, ` ${id}`, `{${id}}`, id.replaceAll("-", ""), ""]) {
    assert.ok(!isUuid(text), JSON.stringify(text));
  }
});
