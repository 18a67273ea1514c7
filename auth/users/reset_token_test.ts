import assert from "node:assert/strict";
import fc from "fast-check";
import { parseResetToken, resetToken } from "./reset_token.ts";

Deno.test("parseResetToken() takes apart what resetToken() put together", () => {
  const code = fc.integer({ min: 100_000, max: 999_999 }).map(String);
  fc.assert(fc.property(fc.emailAddress(), code, (email, code) => {
    const token = resetToken(email, code);
    assert.match(token, /^[\w-]+$/);
    assert.deepEqual(parseResetToken(token), { email, code });
  }));
});

Deno.test("parseResetToken() answers null for any other text", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const parsed = parseResetToken(text);
    if (parsed !== null) assert.match(parsed.code, /^\d{6}$/);
  }));
  for (const text of ["", "x", "é", "a".repeat(10_000), resetToken("", "123456")]) {
    assert.equal(parseResetToken(text), null);
  }
});
