import assert from "node:assert/strict";
import { networkOf } from "./network.ts";

Deno.test("networkOf() counts an IPv4 address by itself and an IPv6 address with its /64", () => {
  assert.equal(networkOf("198.51.100.7"), "198.51.100.7");
  assert.equal(networkOf("::ffff:198.51.100.7"), "198.51.100.7");
  assert.equal(networkOf("2001:db8:1:2:3:4:5:6"), networkOf("2001:db8:1:2:ffff::1"));
  assert.notEqual(networkOf("2001:db8:1:2::1"), networkOf("2001:db8:1:3::1"));
  assert.equal(networkOf(null), "unknown");
  assert.equal(networkOf("x".repeat(500)).length, 64);
});
