import assert from "node:assert/strict";
import { Secret } from "./config.ts";
import { createSealer, deriveKey, SealError } from "./sealing.ts";

const first = new Secret("11".repeat(32));
const second = new Secret("22".repeat(32));
const place = "app/app_000000000000/env";

Deno.test("what is sealed opens at its place, and does not show in the sealed text", async () => {
  const sealer = await createSealer(first);
  for (const text of ["", "hunter2", '{"KEY":"välue 😀"}', "x".repeat(300_000)]) {
    const sealed = await sealer.seal(text, place);
    assert.equal(await sealer.open(sealed, place), text);
    assert.ok(text === "" || !sealed.includes(text));
  }
});

Deno.test("the same text sealed twice looks different each time", async () => {
  const sealer = await createSealer(first);
  const sealed = await Promise.all(Array.from({ length: 50 }, () => sealer.seal("same", place)));
  assert.equal(new Set(sealed).size, 50);
});

Deno.test("a value moved to another place does not open there", async () => {
  const sealer = await createSealer(first);
  const sealed = await sealer.seal("hunter2", place);
  await assert.rejects(sealer.open(sealed, "app/app_111111111111/env"), SealError);
});

Deno.test("a value does not open once any part of it is changed", async () => {
  const sealer = await createSealer(first);
  // Eight bytes and the tag fill base64 whole: no bit of it is idle.
  const sealed = await sealer.seal("hunter22", place);
  for (let at = 0; at < sealed.length; at++) {
    const other = sealed[at] === "A" ? "B" : "A";
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
    await assert.rejects(sealer.open(changed, place), SealError, `changed at ${at}`);
  }
  for (const broken of ["", "v1", "v1..", "v2.a.b.c", sealed.slice(0, -4), `${sealed}AAAA`]) {
    await assert.rejects(sealer.open(broken, place), SealError, broken);
  }
});

Deno.test("a value sealed with a former master key opens while that key is given, and not otherwise", async () => {
  const before = await createSealer(first);
  const sealed = await before.seal("hunter2", place);
  const rotated = await createSealer(second, [first]);
  assert.equal(await rotated.open(sealed, place), "hunter2");
  const resealed = await rotated.seal("hunter2", place);
  const after = await createSealer(second);
  assert.equal(await after.open(resealed, place), "hunter2");
  await assert.rejects(after.open(sealed, place), (error: Error) => {
    assert.ok(error instanceof SealError);
    assert.match(error.message, new RegExp(`"${before.keyId}", which is not here`));
    return true;
  });
});

Deno.test("the key id tells two master keys apart and gives neither away", async () => {
  const { keyId } = await createSealer(first);
  assert.match(keyId, /^[0-9a-f]{8}$/);
  assert.notEqual(keyId, (await createSealer(second)).keyId);
  assert.ok(!first.reveal().includes(keyId));
});

Deno.test("keys derived for two purposes differ, and are the same each time", async () => {
  const [one, again, other, foreign] = await Promise.all([
    deriveKey(first, "roles"),
    deriveKey(first, "roles"),
    deriveKey(first, "webhooks"),
    deriveKey(second, "roles"),
  ]);
  assert.deepEqual(one, again);
  assert.equal(one.length, 32);
  assert.notDeepEqual(one, other);
  assert.notDeepEqual(one, foreign);
  assert.equal((await deriveKey(first, "roles", 16)).length, 16);
});
