import assert from "node:assert/strict";
import { AppError } from "../core/errors.ts";
import { checkHttpRequest, checkTriggerConfig, httpTriggerOf } from "./http_trigger.ts";

function refusal(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error;
  }
  throw new Error("It was not refused");
}

function triggerWith(config: Record<string, unknown>) {
  const trigger = httpTriggerOf([
    { type: "cron", enabled: true, config: { schedule: "* * * * *" } },
    { type: "http", enabled: true, config: checkTriggerConfig("http", config, "trigger.config") },
  ]);
  assert.ok(trigger !== null);
  return trigger;
}

const answersAt = (path: string | undefined, subPath: string) => {
  try {
    checkHttpRequest(triggerWith(path === undefined ? {} : { path }), "fn", "GET", subPath);
    return true;
  } catch (error) {
    assert.equal((error as AppError).code, "RESOURCE_NOT_FOUND");
    return false;
  }
};

Deno.test("an http trigger without auth requires it", () => {
  assert.deepEqual(checkTriggerConfig("http", {}, "t"), { auth: "required" });
  assert.equal(triggerWith({}).auth, "required");
  for (const auth of ["required", "optional", "none"]) assert.equal(triggerWith({ auth }).auth, auth);
});

Deno.test("an auth that does not exist is refused at deploy, so that no typing mistake opens a function", () => {
  for (const auth of ["None", "public", "", null, false, 0, ["none"]]) {
    const error = refusal(() => checkTriggerConfig("http", { auth }, "triggers.0.config"));
    assert.equal(error.code, "VALIDATION_INVALID_SCHEMA");
    assert.deepEqual(error.details, { path: "triggers.0.config.auth" });
  }
});

Deno.test("keys that the platform does not know are kept", () => {
  const config = { auth: "none", note: { a: [1] } };
  assert.deepEqual(checkTriggerConfig("http", config, "t"), config);
  assert.deepEqual(checkTriggerConfig("s3_upload", { any: "thing" }, "t"), { any: "thing" });
});

Deno.test("a function without an enabled http trigger has none", () => {
  assert.equal(httpTriggerOf([]), null);
  assert.equal(httpTriggerOf([{ type: "cron", enabled: true, config: {} }]), null);
  assert.equal(httpTriggerOf([{ type: "http", enabled: false, config: { auth: "none" } }]), null);
});

Deno.test("methods are one or a list, in any case; GET brings HEAD; none named means all", () => {
  const allowed = (method: unknown) => [...triggerWith({ method }).methods ?? []].sort();
  assert.deepEqual(allowed("post"), ["POST"]);
  assert.deepEqual(allowed(["get", "Put"]), ["GET", "HEAD", "PUT"]);
  for (const method of ["*", "any", "ALL", [], ["GET", "*"]]) {
    assert.equal(triggerWith({ method }).methods, null, JSON.stringify(method));
  }
  for (const method of ["FETCH", "", null, 1, ["GET", 2], {}]) {
    const error = refusal(() => checkTriggerConfig("http", { method }, "trigger.config"));
    assert.deepEqual(error.details, { path: "trigger.config.method" });
  }
});

Deno.test("another method is 405, and Allow names those that are answered", () => {
  const trigger = triggerWith({ method: ["GET", "POST"] });
  for (const method of ["GET", "HEAD", "POST"]) checkHttpRequest(trigger, "fn", method, "");
  for (const method of ["PUT", "DELETE", "OPTIONS", "PROPFIND", "get"]) {
    const error = refusal(() => checkHttpRequest(trigger, "fn", method, ""));
    assert.deepEqual([error.status, error.headers["allow"]], [405, "GET, POST, HEAD"]);
  }
});

Deno.test("a function without a path answers at its name and everywhere below", () => {
  for (const path of [undefined, "/"]) {
    for (const subPath of ["", "/", "/a", "/a/b/", "/%2e%2e/x"]) {
      assert.ok(answersAt(path, subPath), `${path} ${subPath}`);
    }
  }
});

Deno.test("a path is matched segment by segment", () => {
  const expected: [string, string, boolean][] = [
    ["/items", "/items", true],
    ["/items", "", false],
    ["/items", "/items/1", false],
    ["/items", "/itemsx", false],
    ["/items/:id", "/items/42", true],
    ["/items/:id", "/items/", false],
    ["/items/:id", "/items/4/2", false],
    ["/:kind/:id", "/a/b", true],
    ["/files/*", "/files/a/b.txt", true],
    ["/files/*", "/files/", true],
    ["/files/*", "/other", false],
    ["/*", "", true],
  ];
  for (const [path, subPath, answer] of expected) {
    assert.equal(answersAt(path, subPath), answer, `${path} ${subPath}`);
  }
});

Deno.test("a path is refused unless it is made of plain segments, names and a last star", () => {
  const wrong = [
    "",
    "items",
    "items/",
    1,
    null,
    ["/a"],
    "/a/*/b",
    "/a*",
    "/**",
    "/:a:b",
    "/:a-:b",
    "/:1",
    "/:id?",
  ];
  const regular = ["/(.*)", "/:id(\\d+)", "/((?:a+)+)b", "/{a}?", "/:id+", "/:id*", "/a\\b", "/a?b", "/a#b"];
  for (const path of [...wrong, ...regular]) {
    const error = refusal(() => checkTriggerConfig("http", { path }, "trigger.config"));
    assert.deepEqual(error.details, { path: "trigger.config.path" }, JSON.stringify(path));
  }
});

Deno.test("no path of a request keeps the server busy, whatever the pattern", () => {
  const patterns = ["/:a/:b/:c/:d/:e/:f/x", "/a/a/a/a/*", "/:a/:b/:c/:d/*"];
  const paths = ["/a".repeat(8000), "/" + "a".repeat(16_000), "/".repeat(16_000)];
  const started = performance.now();
  for (const pattern of patterns) for (const path of paths) answersAt(pattern, path);
  assert.ok(performance.now() - started < 500);
});
