import assert from "node:assert/strict";
import { AppError, type ErrorCode, errorKinds } from "./errors.ts";

const codes = Object.keys(errorKinds) as ErrorCode[];

/** Statuses that the decisions name; clients and callers depend on them. */
const decided: Partial<Record<ErrorCode, number>> = {
  AUTH_REQUIRED: 401,
  AUTH_INVALID_API_KEY: 401,
  AUTH_INVALID_TOKEN: 401,
  AUTH_IMPERSONATION_DISABLED: 403,
  AUTH_IMPERSONATION_FORBIDDEN: 403,
  QUOTA_RATE_LIMIT: 429,
  APP_PAUSED: 503,
  APP_PROVISIONING: 409,
  APP_DELETING: 410,
  FUNCTION_TIMEOUT: 504,
  FUNCTION_MEMORY_LIMIT: 503,
  FUNCTION_CRASHED: 502,
  FUNCTION_EXITED: 502,
  FUNCTION_THREW: 500,
  FUNCTION_BAD_RESPONSE: 500,
  FUNCTION_OVERLOADED: 503,
  FUNCTION_BOOT_FAILED: 500,
  RLS_NOT_ENABLED: 403,
};

Deno.test("every code is answered with an error status and says what to do", () => {
  for (const code of codes) {
    const { status, remediation } = new AppError(code, "x");
    assert.ok(status >= 400 && status <= 599, `${code}: ${status}`);
    assert.ok(remediation.length > 10 && remediation.endsWith("."), `${code}: ${remediation}`);
    assert.match(code, /^[A-Z][A-Z0-9_]+$/);
  }
});

Deno.test("the statuses that the decisions name are the ones that are sent", () => {
  for (const [code, status] of Object.entries(decided)) {
    assert.equal(errorKinds[code as ErrorCode].status, status, code);
  }
});

Deno.test("an overloaded function and a paused app say when to come back", () => {
  assert.equal(new AppError("APP_PAUSED", "x").headers["retry-after"], "60");
  assert.match(new AppError("FUNCTION_OVERLOADED", "x").headers["retry-after"] ?? "", /^\d+$/);
  assert.deepEqual(new AppError("RESOURCE_NOT_FOUND", "x").headers, {});
});

Deno.test("a thrower may be more exact than its code, and keeps the cause", () => {
  const cause = new Error("ECONNREFUSED");
  const error = new AppError("INTERNAL_ERROR", "Cannot fetch it", {
    cause,
    status: 503,
    remediation: "Try again.",
    details: { path: "code" },
    headers: { "retry-after": "5" },
  });
  assert.deepEqual([error.status, error.remediation, error.details], [503, "Try again.", { path: "code" }]);
  assert.deepEqual(error.headers, { "retry-after": "5" });
  assert.equal(error.cause, cause);
  assert.ok(error instanceof Error && error.name === "AppError");
});

Deno.test("an error without a cause has none, rather than one that is undefined", () => {
  assert.ok(!Object.hasOwn(new AppError("RESOURCE_NOT_FOUND", "x"), "cause"));
});
