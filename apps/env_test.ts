import assert from "node:assert/strict";
import { Secret } from "../core/config.ts";
import { AppError } from "../core/errors.ts";
import { createSealer, SealError } from "../core/sealing.ts";
import { appEnvPlace, mergeEnv, openEnv, parseEnvChange, sealEnv } from "./env.ts";

function refusal(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, "VALIDATION_INVALID_SCHEMA");
    assert.deepEqual(error.details, { path: "envVars" });
    return error;
  }
  throw new Error("It was not refused");
}

Deno.test("an env change is keys with a string to set or null to delete", () => {
  const change = { API_KEY: "secret", _x9: "", OLD: null, multi: "two\nlines é 😀" };
  assert.deepEqual(parseEnvChange(change), change);
});

Deno.test("what is not an object of strings and nulls is refused, and the message names the key", () => {
  for (const value of [undefined, null, [], ["A"], "A=1", 1, true]) {
    assert.match(refusal(() => parseEnvChange(value)).message, /must be an object/);
  }
  for (const value of [1, true, {}, ["a"], undefined]) {
    assert.match(
      refusal(() => parseEnvChange({ GOOD: "x", WRONG: value })).message,
      /envVars\.WRONG must be/,
    );
  }
  assert.match(refusal(() => parseEnvChange({})).message, /empty/);
  assert.deepEqual(parseEnvChange({}, { allowEmpty: true }), {});
});

Deno.test("names that begin with BUTTERBASE_ are the platform's, in any case and also for deletion", () => {
  for (const key of ["BUTTERBASE_APP_ID", "butterbase_x", "Butterbase_", "BUTTERBASE_"]) {
    for (const value of ["x", null]) {
      assert.match(refusal(() => parseEnvChange({ [key]: value })).message, new RegExp(key));
    }
  }
  assert.deepEqual(parseEnvChange({ BUTTERBASE: "x", MY_BUTTERBASE_KEY: "y" }), {
    BUTTERBASE: "x",
    MY_BUTTERBASE_KEY: "y",
  });
});

Deno.test("keys are letters, digits and underscores, so that every tool can name them", () => {
  for (const key of ["", "1A", "A-B", "A.B", "A B", "A=B", "Ä", "A\n", "A".repeat(257)]) {
    refusal(() => parseEnvChange({ [key]: "x" }));
  }
  assert.deepEqual(parseEnvChange({ ["A".repeat(256)]: "x" }), { ["A".repeat(256)]: "x" });
});

Deno.test("a value with NUL or beyond its limit is refused", () => {
  refusal(() => parseEnvChange({ A: "a\0b" }));
  refusal(() => parseEnvChange({ A: "x".repeat(64 * 1024 + 1) }));
  assert.equal(parseEnvChange({ A: "x".repeat(64 * 1024) })["A"]?.length, 64 * 1024);
});

Deno.test("a refusal never repeats a value, which may be a secret", () => {
  for (
    const change of [{ A: "hunter2\0" }, { "A-B": "hunter2" }, { BUTTERBASE_X: "hunter2" }, {
      A: ["hunter2"],
    }]
  ) {
    assert.ok(!refusal(() => parseEnvChange(change)).message.includes("hunter2"));
  }
});

Deno.test("mergeEnv() sets, deletes by null, and leaves the others alone", () => {
  const env = { A: "1", B: "2", C: "3" };
  assert.deepEqual(mergeEnv(env, { B: "two", C: null, D: "4", E: null }), { A: "1", B: "two", D: "4" });
  assert.deepEqual(env, { A: "1", B: "2", C: "3" });
});

Deno.test("names that objects have of their own are variables like any other", () => {
  const change = parseEnvChange({ constructor: "x", toString: "y", hasOwnProperty: "z" });
  const merged = mergeEnv({}, change);
  assert.deepEqual(Object.keys(merged).sort(), ["constructor", "hasOwnProperty", "toString"]);
  assert.deepEqual(mergeEnv(merged, { constructor: null, toString: null }), { hasOwnProperty: "z" });
});

Deno.test("an env grows to 256 keys and 256 KiB, and no further", () => {
  const many = Object.fromEntries(Array.from({ length: 256 }, (_, at) => [`K${at}`, "x"]));
  assert.equal(Object.keys(mergeEnv({}, many)).length, 256);
  refusal(() => mergeEnv(many, { ONE_MORE: "x" }));
  assert.equal(Object.keys(mergeEnv(many, { K0: null, ONE_MORE: "x" })).length, 256);
  const large = Object.fromEntries(Array.from({ length: 3 }, (_, at) => [`K${at}`, "x".repeat(64 * 1024)]));
  refusal(() => mergeEnv(large, { K4: "x".repeat(64 * 1024), K5: "x".repeat(1024) }));
});

Deno.test("an env is sealed for its app: it opens there and for no other, and no env is an empty one", async () => {
  const sealer = await createSealer(new Secret("11".repeat(32)));
  const env = { API_KEY: "hunter2", EMPTY: "" };
  const sealed = await sealEnv(sealer, env, appEnvPlace("app_000000000000"));
  assert.ok(!sealed.includes("hunter2") && !sealed.includes("API_KEY"));
  assert.deepEqual(await openEnv(sealer, sealed, appEnvPlace("app_000000000000")), env);
  await assert.rejects(openEnv(sealer, sealed, appEnvPlace("app_111111111111")), SealError);
  assert.deepEqual(await openEnv(sealer, null, appEnvPlace("app_000000000000")), {});
});
