import assert from "node:assert/strict";
import fc from "fast-check";
import { matchesRule, parseEgressRule } from "./rule.ts";

Deno.test("entries have one spelling", () => {
  const spellings: Record<string, string> = {
    "API.Example.COM.": "api.example.com",
    "*.Example.com:443": "*.example.com:443",
    "bücher.example": "xn--bcher-kva.example",
    "10.1.2.3/8": "10.0.0.0/8",
    "203.0.113.9:8080": "203.0.113.9:8080",
    "10.0.0.0/8:53": "10.0.0.0/8:53",
    "[2001:DB8:0::1]": "[2001:db8::1]",
    "[::1]:80": "[::1]:80",
    "my_db": "my_db",
    "localhost": "localhost",
    "192.0.2.1/32": "192.0.2.1",
  };
  for (const [given, text] of Object.entries(spellings)) {
    assert.equal(parseEgressRule(given).text, text, given);
  }
});

Deno.test("what is no host is refused with what it should be", () => {
  const wrong: Record<string, RegExp> = {
    "": /without a scheme/,
    "https://api.example.com": /without a scheme/,
    "user@api.example.com": /without a scheme/,
    "a b": /without a scheme/,
    "a,b": /without a scheme/,
    "api.example.com/path": /host name/,
    "api.example.com:0": /port from 1 to 65535/,
    "api.example.com:65536": /port from 1 to 65535/,
    "api.example.com:": /port from 1 to 65535/,
    "api.example.com:1-9": /port from 1 to 65535/,
    "*": /host name/,
    "*.*.example.com": /host name/,
    "a.*.example.com": /host name/,
    "-a.example.com": /host name/,
    [`${"a".repeat(64)}.example.com`]: /host name/,
    "0x7f.1": /host name/,
    "127.1": /four decimal numbers/,
    "017.0.0.1": /four decimal numbers/,
    "2130706433": /four decimal numbers/,
    "10.0.0.0/33": /four decimal numbers/,
    "1.2.3.256": /four decimal numbers/,
    "[fc00::/7]": /ranges of IPv6/,
    "[fe80::1%eth0]": /IPv6 address in brackets/,
    "[1.2.3.4]": /IPv6 address in brackets/,
    "fc00::1": /port/,
  };
  for (const [given, message] of Object.entries(wrong)) {
    assert.throws(() => parseEgressRule(given), { message }, `"${given}"`);
  }
});

Deno.test("a name matches itself, a domain all below it too, a range its addresses, each on its port", () => {
  const matches = (rule: string, host: string, port = 443) =>
    matchesRule(parseEgressRule(rule), { host, port });
  assert.ok(matches("api.example.com", "API.example.com."));
  assert.ok(!matches("api.example.com", "x.api.example.com"));
  assert.ok(matches("*.example.com", "a.b.example.com"));
  assert.ok(matches("*.example.com", "example.com"));
  assert.ok(!matches("*.example.com", "badexample.com"));
  assert.ok(matches("10.0.0.0/8:443", "10.200.3.4"));
  assert.ok(!matches("10.0.0.0/8:443", "10.200.3.4", 80));
  assert.ok(matches("10.0.0.0/8", "::ffff:10.1.1.1"));
  assert.ok(!matches("10.0.0.0/8", "11.0.0.0"));
  assert.ok(matches("[2001:db8::1]", "2001:db8:0:0::1"));
  assert.ok(!matches("0.0.0.0/0", "2001:db8::1"));
});

Deno.test("whatever is accepted, Deno takes as a permission", () => {
  const label = fc.stringMatching(/^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/);
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
  const address = fc.tuple(fc.ipV4(), fc.option(fc.nat(32))).map(([host, prefix]) =>
    prefix === null ? host : `${host}/${prefix}`
  );
  const host = fc.oneof(name, name.map((text) => `*.${text}`), address, fc.ipV6().map((text) => `[${text}]`));
  let accepted = 0;
  fc.assert(
    fc.property(host, fc.option(fc.integer({ min: 1, max: 65_535 })), (given, port) => {
      let text;
      try {
        text = parseEgressRule(port === null ? given : `${given}:${port}`).text;
      } catch {
        return;
      }
      accepted++;
      assert.equal(parseEgressRule(text).text, text);
      Deno.permissions.querySync({ name: "net", host: text });
    }),
    { numRuns: 500 },
  );
  assert.ok(accepted > 250, `only ${accepted} were accepted`);
});
