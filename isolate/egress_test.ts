import assert from "node:assert/strict";
import fc from "fast-check";
import { appEgress, openEgress } from "../core/egress/app_egress.ts";
import { egressFlags } from "./egress.ts";
import { formatIpv4Range, type Ipv4Range, parseIpv4Range, subtractRange } from "./ipv4_range.ts";

const sockets = ["/run/control", "/run/worker"];
const denied = (flags: string[]) =>
  flags.find((flag) => flag.startsWith("--deny-net="))?.slice("--deny-net=".length).split(",") ?? [];

Deno.test("private, loopback, link-local and metadata addresses are denied from the start", () => {
  const rules = denied(egressFlags({ allow: [], deny: [], app: openEgress }, sockets));
  for (
    const range of [
      "127.0.0.0/8",
      "10.0.0.0/8",
      "169.254.0.0/16",
      "192.168.0.0/16",
      "0.0.0.0",
      "[::1]",
      "[::]",
    ]
  ) {
    assert.ok(rules.includes(range), range);
  }
});

Deno.test("the operator's own entries are denied too, once each", () => {
  const rules = denied(
    egressFlags({ allow: [], deny: ["203.0.114.7", "10.0.0.0/8"], app: openEgress }, sockets),
  );
  assert.ok(rules.includes("203.0.114.7"));
  assert.equal(rules.filter((rule) => rule === "10.0.0.0/8").length, 1);
});

Deno.test("an allowed address is cut out of the range that holds it, and nothing else is", () => {
  const rules = denied(egressFlags({ allow: ["127.0.0.2"], deny: [], app: openEgress }, sockets));
  assert.ok(!rules.includes("127.0.0.0/8"));
  const ranges = rules.map(parseIpv4Range).filter((range) => range !== null);
  const isDenied = (address: string) => {
    const { start } = parseIpv4Range(address) as Ipv4Range;
    return ranges.some((range) => start >= range.start && start < range.start + 2 ** (32 - range.prefix));
  };
  assert.ok(!isDenied("127.0.0.2"));
  for (const address of ["127.0.0.1", "127.0.0.3", "127.255.255.255", "10.0.0.1"]) {
    assert.ok(isDenied(address), address);
  }
});

Deno.test("an app's lists narrow what the operator permits and widen nothing", () => {
  const operator = { allow: [], deny: ["db.example.com:5432"] };
  const app = appEgress(["*.example.com", "127.0.0.1"], ["bad.example.com"]);
  const flags = egressFlags({ ...operator, app }, sockets);
  assert.equal(flags[0], "--allow-net=unix:/run/control,unix:/run/worker,*.example.com,127.0.0.1");
  for (const entry of ["127.0.0.0/8", "db.example.com:5432", "bad.example.com"]) {
    assert.ok(denied(flags).includes(entry), entry);
  }
});

Deno.test("an app that allows nothing gets its host's sockets, not the whole network", () => {
  const flags = egressFlags({ allow: [], deny: [], app: appEgress([], []) }, sockets);
  assert.equal(flags[0], "--allow-net=unix:/run/control,unix:/run/worker");
});

Deno.test("a range without a hole is every address of it but the hole's", () => {
  fc.assert(
    fc.property(
      fc.nat(0xffff_ffff),
      fc.integer({ min: 0, max: 32 }),
      fc.integer({ min: 0, max: 32 }),
      (at, one, two) => {
        const place = (prefix: number) => ({
          start: Math.floor(at / 2 ** (32 - prefix)) * 2 ** (32 - prefix),
          prefix,
        });
        const [range, hole] = [place(Math.min(one, two)), place(Math.max(one, two))];
        const left = subtractRange(range, hole);
        const count = left.reduce((sum, part) => sum + 2 ** (32 - part.prefix), 0);
        assert.equal(count, 2 ** (32 - range.prefix) - 2 ** (32 - hole.prefix));
        for (const part of left) assert.deepEqual(parseIpv4Range(formatIpv4Range(part)), part);
      },
    ),
  );
});
