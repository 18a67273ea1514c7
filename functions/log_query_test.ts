import assert from "node:assert/strict";
import { AppError } from "../core/errors.ts";
import { parseInstant, parseLogQuery } from "./log_query.ts";

function refusedPath(query: Record<string, string>): unknown {
  try {
    parseLogQuery(query);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.deepEqual([error.code, error.status], ["VALIDATION_INVALID_INPUT", 400]);
    return (error.details as { path: string }).path;
  }
  throw new Error(`It was not refused: ${JSON.stringify(query)}`);
}

Deno.test("without parameters the logs are the newest hundred of all levels", () => {
  const all = { limit: 100, since: null, errorsOnly: false, includeDeleted: false };
  assert.deepEqual(parseLogQuery({}), all);
  assert.deepEqual(parseLogQuery({ limit: "", since: "", level: "", include_deleted: "" }), all);
});

Deno.test("a limit is a whole number from 1, and more than 1000 means 1000", () => {
  assert.equal(parseLogQuery({ limit: "1" }).limit, 1);
  assert.equal(parseLogQuery({ limit: "1000" }).limit, 1000);
  assert.equal(parseLogQuery({ limit: "1001" }).limit, 1000);
  assert.equal(parseLogQuery({ limit: "9".repeat(400) }).limit, 1000);
  for (const limit of ["0", "-1", "1.5", "1e2", "0x10", " 5", "five", "NaN", "5;drop table", "٥"]) {
    assert.equal(refusedPath({ limit }), "limit", limit);
  }
});

Deno.test("level error means errors only, and every other level means all", () => {
  assert.equal(parseLogQuery({ level: "error" }).errorsOnly, true);
  for (const level of ["all", "warn", "info", "ERROR", "x"]) {
    assert.equal(parseLogQuery({ level }).errorsOnly, false);
  }
});

Deno.test("since is an ISO time or milliseconds", () => {
  const iso = "2026-01-31T12:00:00.123Z";
  assert.equal(parseLogQuery({ since: iso }).since?.toISOString(), iso);
  assert.equal(parseInstant("since", "2026-01-31T13:00:00.123+01:00")?.toISOString(), iso);
  assert.equal(parseInstant("since", String(Date.parse(iso)))?.toISOString(), iso);
  assert.equal(parseInstant("since", undefined), null);
});

Deno.test("a since that is no time PostgreSQL could hold is refused", () => {
  const wrong = [
    "yesterday",
    "2026-13-01",
    "2026-02-30T99:00:00Z",
    "1".repeat(16),
    "+275760-09-13T00:00:00Z",
    "-1",
  ];
  for (const since of [...wrong, "0001-01-01T00:00:00Z", "'; drop table apps; --", "NaN", "\0"]) {
    assert.equal(refusedPath({ since }), "since", since);
  }
});

Deno.test("include_deleted is true or false, and nothing else is taken for either", () => {
  for (const text of ["true", "1"]) {
    assert.equal(parseLogQuery({ include_deleted: text }).includeDeleted, true);
  }
  for (const text of ["false", "0"]) {
    assert.equal(parseLogQuery({ include_deleted: text }).includeDeleted, false);
  }
  for (const text of ["yes", "TRUE", "2"]) {
    assert.equal(refusedPath({ include_deleted: text }), "include_deleted");
  }
});

Deno.test("a refusal quotes what was sent at its beginning only", () => {
  try {
    parseLogQuery({ limit: "x".repeat(10_000) });
    throw new Error("It was not refused");
  } catch (error) {
    assert.ok((error as Error).message.length < 300);
  }
});
