import assert from "node:assert/strict";
import fc from "fast-check";
import { type EgressRules, judgeAddress, judgeName } from "./judge.ts";
import { ipv4NotPublic } from "./ranges.ts";

const none: EgressRules = { allow: [], deny: [] };
const kindOf = (host: string, rules = none, port = 443) => judgeAddress({ host, port }, rules).kind;

/** The spellings that URLs and resolvers take for an address. */
const refused = [
  ..."127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 0 0.0.0.0".split(" "),
  ..."10.0.0.1 100.64.0.1 100.100.100.200 172.16.0.1 172.31.255.255 192.168.1.1 192.0.0.192".split(" "),
  ..."169.254.169.254 168.63.129.16 192.88.99.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255".split(
    " ",
  ),
  ...":: ::1 0:0:0:0:0:0:0:1 [::1] ::ffff:127.0.0.1 ::FFFF:7F00:1 ::ffff:a9fe:a9fe ::127.0.0.1".split(" "),
  ..."64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b:1::7f00:1 2002:7f00:1:: 2002:808:808::1 2001::1".split(" "),
  ..."fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2001:db8::1 3fff::1 100::1 4000::1".split(
    " ",
  ),
  ..."::ffff:0:127.0.0.1 5f00::1 200::1".split(" "),
];

Deno.test("no address but a public one is judged good, however it is written", () => {
  for (const host of refused) assert.equal(kindOf(host), "refused", host);
});

Deno.test("public addresses are judged good, also as IPv4 in IPv6", () => {
  const good = "8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 100.128.0.1 223.255.255.255".split(" ");
  for (const host of [...good, "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]) {
    assert.equal(kindOf(host), "allowed", host);
  }
});

Deno.test("what is no address is refused, not let through", () => {
  for (const host of ["", "example.com", "1.2.3.4.5", "127.0.0.1.", "1.2.3.4/8", "::g", "①②⑦.0.0.1"]) {
    assert.equal(kindOf(host), "refused", host);
  }
});

Deno.test("a URL's host is an address in the one spelling that is judged", () => {
  const hosts = [
    "0x7f.1",
    "127。0。0。1",
    "127.0.0.1.",
    "①②⑦.0.0.1",
    "[::ffff:127.0.0.1]",
    "%31%32%37.0.0.1",
  ];
  for (const host of hosts) {
    assert.equal(kindOf(new URL(`http://${host}/`).hostname), "refused", host);
  }
});

Deno.test("an IPv4 address is judged alike alone, mapped and behind NAT64", () => {
  fc.assert(fc.property(fc.ipV4(), (host) => {
    const bytes = host.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
    const hex = `${bytes[0]}${bytes[1]}:${bytes[2]}${bytes[3]}`;
    const verdict = kindOf(host);
    assert.equal(kindOf(`::ffff:${hex}`), verdict);
    assert.equal(kindOf(`64:ff9b::${hex}`), verdict);
    assert.equal(kindOf(`2002:${hex}::1`), "refused");
  }));
});

Deno.test("every address of a range that is not public is refused, first to last", () => {
  for (const [range] of ipv4NotPublic) {
    const [start = "", prefix = "32"] = range.split("/");
    const first = start.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
    for (const at of [first, first + 2 ** (32 - Number(prefix)) - 1]) {
      assert.equal(kindOf(String(at)), "refused", range);
    }
  }
});

Deno.test("the operator opens an address, and what it denies stays denied", () => {
  const rules = {
    allow: ["127.0.0.2", "10.0.0.0/8", "[fd00::5]"],
    deny: ["10.0.0.7", "8.8.8.0/24:53", "10.1.0.0/16:80"],
  };
  assert.equal(kindOf("127.0.0.2", rules), "allowed");
  assert.equal(kindOf("::ffff:127.0.0.2", rules), "allowed");
  assert.equal(kindOf("127.0.0.3", rules), "refused");
  assert.equal(kindOf("10.9.9.9", rules), "allowed");
  assert.equal(kindOf("10.0.0.7", rules), "refused");
  assert.equal(kindOf("::ffff:10.0.0.7", rules), "refused");
  assert.equal(kindOf("fd00::5", rules), "allowed");
  assert.equal(kindOf("fd00::6", rules), "refused");
  assert.equal(kindOf("8.8.8.8", rules, 53), "refused");
  assert.equal(kindOf("8.8.8.8", rules, 443), "allowed");
  assert.equal(kindOf("10.1.2.3", rules, 80), "refused");
});

Deno.test("names of this machine and of metadata are refused, and those that the operator denies", () => {
  const rules = { allow: ["metadata"], deny: ["*.internal.example", "db.example.com:5432"] };
  const nameKind = (host: string, port = 443) => judgeName({ host, port }, rules).kind;
  for (const host of ["localhost", "LOCALHOST.", "metadata.google.internal", "a.internal.example"]) {
    assert.equal(nameKind(host), "refused", host);
  }
  assert.equal(nameKind("metadata"), "allowed");
  assert.equal(nameKind("example.com"), "allowed");
  assert.equal(nameKind("db.example.com", 5432), "refused");
  assert.equal(nameKind("db.example.com"), "allowed");
});
