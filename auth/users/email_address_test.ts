import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEmail } from "./email_address.ts";

Deno.test("parseEmail() tidies an address and compares without case", () => {
  assert.deepEqual(parseEmail(" Ada@Example.COM\n"), {
    email: "Ada@Example.COM",
    emailKey: "ada@example.com",
  });
  assert.deepEqual(parseEmail("zoe\u0308@example.com"), parseEmail("zo\u00eb@example.com"));
  for (
    const good of ["a@b.co", "a+tag@sub.example.org", "o'brien@example.ie", "用户@例子.广告", "a.b@c-d.io"]
  ) {
    assert.notEqual(parseEmail(good), null, good);
  }
});

Deno.test("parseEmail() takes one plain address and nothing that a mailer could read as more", () => {
  const bad = [
    ..."ada|ada@|@example.com|a@b|a b@example.com|a@@example.com|a@ex ample.com|a@-example.com".split("|"),
    "a@example.com,eve@example.com",
    "a@example.com;eve@example.com",
    "Ada <a@example.com>",
    '"a@evil.com" x@example.com',
    '"a b"@example.com',
    "a@example.com\r\nBcc: eve@example.com",
    "a\r\n@example.com",
    "a\0@example.com",
    "a@example.com(comment)",
    "a@[127.0.0.1]",
    "group:a@example.com;",
    ".a@example.com",
    "a..b@example.com",
    "a.@example.com",
    "a\u200b@example.com",
    "a\u202e@example.com",
    `${"a".repeat(65)}@example.com`,
    `a@${"b".repeat(250)}.com`,
  ];
  for (const text of bad) assert.equal(parseEmail(text), null, text);
});

Deno.test("what parseEmail() answers is one recipient without white space, and parses to itself", () => {
  fc.assert(fc.property(fc.oneof(fc.emailAddress(), fc.string({ unit: "binary" }), fc.string()), (text) => {
    const address = parseEmail(text);
    if (address === null) return;
    assert.ok(!/[\s,;:<>()"\\\p{Cc}]/u.test(address.email));
    assert.equal(address.email.split("@").length, 2);
    assert.deepEqual(parseEmail(address.email), address);
    assert.equal(parseEmail(address.emailKey)?.emailKey, address.emailKey);
  }));
});
