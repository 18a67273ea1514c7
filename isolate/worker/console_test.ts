import assert from "node:assert/strict";
import { consoleLimits } from "../../core/invocation.ts";
import { formatMessage } from "./console.ts";

Deno.test("values are joined by a space, objects as Deno prints them", () => {
  assert.equal(formatMessage(["a", 1, { b: [2] }, null]), "a 1 { b: [ 2 ] } null");
});

Deno.test("an Error prints with its stack", () => {
  assert.match(formatMessage([new TypeError("boom")]), /^TypeError: boom\n {4}at /);
});

Deno.test("the first argument's placeholders are filled, and what is left over follows", () => {
  assert.equal(
    formatMessage(["%s is %d%%, %j %c", "x", "5", { a: 1 }, "color: red", "end"]),
    'x is 5%, {"a":1}  end',
  );
  assert.equal(formatMessage(["%s %s", "only one"]), "only one %s");
  assert.equal(formatMessage(["100%"]), "100%");
});

Deno.test("a message is cut at its limit", () => {
  assert.equal(formatMessage(["x".repeat(consoleLimits.characters + 5)]).length, consoleLimits.characters);
});

Deno.test("a value that cannot be printed does not lose the line", () => {
  const hostile = {
    get [Symbol.for("Deno.customInspect")]() {
      throw new Error("no");
    },
  };
  assert.match(formatMessage(["before", hostile]), /^before .*cannot be printed|^before /);
});
