import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../core/errors.ts";
import { parseNewKey } from "./new_key.ts";

function refused(body: unknown): ErrorCode {
  try {
    parseNewKey(body);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.status, 400);
    return error.code;
  }
  throw new Error(`It was not refused: ${JSON.stringify(body)}`);
}

Deno.test("a name alone asks for a key of the whole account", () => {
  assert.deepEqual(parseNewKey({ name: " ci " }), { name: "ci", targetAppId: null, additionalScopes: [] });
});

Deno.test("a key of one app names it, and what the command line tool sends beside is taken", () => {
  const body = { name: "ci", key_scope: "app", target_app_id: "app_000000000000", additional_scopes: [] };
  assert.deepEqual(parseNewKey(body), { name: "ci", targetAppId: "app_000000000000", additionalScopes: [] });
  const account = { name: "ci", key_scope: "account", additional_scopes: ["ai:gateway"], scope: "app" };
  assert.deepEqual(parseNewKey(account), { name: "ci", targetAppId: null, additionalScopes: ["ai:gateway"] });
});

Deno.test("the older form says scopes", () => {
  assert.deepEqual(parseNewKey({ name: "ci", scopes: ["ai:gateway"] }).additionalScopes, ["ai:gateway"]);
  assert.deepEqual(parseNewKey({ name: "ci", scopes: [] }).additionalScopes, []);
});

Deno.test("each mistake has the code of the contract", () => {
  const app = { name: "x", key_scope: "app", target_app_id: "app_000000000000" };
  const mistakes: [unknown, ErrorCode][] = [
    [null, "VALIDATION_INVALID_SCHEMA"],
    [[], "VALIDATION_INVALID_SCHEMA"],
    ["x", "VALIDATION_INVALID_SCHEMA"],
    [{}, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "" }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "  " }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: 1 }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x".repeat(201) }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", scopes: [], key_scope: "account" }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", scopes: [], additional_scopes: [] }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", scopes: [], target_app_id: "app_000000000000" }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", scopes: "ai:gateway" }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", additional_scopes: { 0: "ai:gateway" } }, "VALIDATION_INVALID_SCHEMA"],
    [{ name: "x", scope: "substrate" }, "VALIDATION_INVALID_SCOPE"],
    [{ name: "x", scope: "everything" }, "VALIDATION_INVALID_SCOPE"],
    [{ name: "x", scope: 1 }, "VALIDATION_INVALID_SCOPE"],
    [{ name: "x", key_scope: "all" }, "INVALID_KEY_SCOPE"],
    [{ name: "x", key_scope: null }, "INVALID_KEY_SCOPE"],
    [{ name: "x", key_scope: "app" }, "TARGET_APP_REQUIRED"],
    [{ ...app, target_app_id: "" }, "TARGET_APP_REQUIRED"],
    [{ ...app, target_app_id: 1 }, "TARGET_APP_REQUIRED"],
    [{ ...app, key_scope: "account" }, "TARGET_APP_NOT_ALLOWED"],
    [{ name: "x", target_app_id: "app_000000000000" }, "TARGET_APP_NOT_ALLOWED"],
    [{ name: "x", additional_scopes: ["*"] }, "RESERVED_SCOPE"],
    [{ ...app, additional_scopes: ["app:app_111111111111"] }, "RESERVED_SCOPE"],
    [{ name: "x", scopes: ["ai:gateway", "*"] }, "RESERVED_SCOPE"],
    [{ name: "x", additional_scopes: ["admin"] }, "UNKNOWN_SCOPE"],
    [{ name: "x", additional_scopes: ["substrate"] }, "UNKNOWN_SCOPE"],
    [{ name: "x", additional_scopes: [["*"]] }, "UNKNOWN_SCOPE"],
    [{ name: "x", additional_scopes: [null] }, "UNKNOWN_SCOPE"],
  ];
  for (const [body, code] of mistakes) assert.equal(refused(body), code, JSON.stringify(body));
});
