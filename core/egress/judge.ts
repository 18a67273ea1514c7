// Judges one address or name that the platform is about to connect to. What the operator denies stays denied, what it
// allows is open, and of the rest only public addresses are; IPv4 within IPv6 counts as the IPv4 address.

import ipaddr from "ipaddr.js";
import { ipv4InIpv6, ipv4NotPublic, ipv6Global, ipv6NotPublic } from "./ranges.ts";
import { type Destination, type EgressRule, matchesRule, parseEgressRule } from "./rule.ts";

/** What the operator permits, as entries that `parseEgressRule` reads. `deny` holds the platform's own addresses too. */
export interface EgressRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export type EgressVerdict =
  | { kind: "allowed" }
  /** `why` completes "it is". */
  | { kind: "refused"; why: string };

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

const rangesOf = (table: readonly (readonly [string, string])[]): [Range, string][] =>
  table.map(([range, what]) => [ipaddr.parseCIDR(range.includes("/") ? range : `${range}/32`), what]);
const notPublic = { ipv4: rangesOf(ipv4NotPublic), ipv6: rangesOf(ipv6NotPublic) };
const global = ipaddr.parseCIDR(ipv6Global);
const embedding = ipv4InIpv6.map((range) => ipaddr.parseCIDR(range));

/** Names that lead home or to a cloud's metadata, whatever they resolve to. */
export const deniedNames = ["localhost", "metadata", "metadata.google.internal"];

const parsed = new Map<string, EgressRule>();

function ruleOf(text: string): EgressRule {
  const rule = parsed.get(text) ?? parseEgressRule(text);
  if (parsed.size < 10_000) parsed.set(text, rule);
  return rule;
}

function firstMatch(entries: readonly string[], destinations: readonly Destination[]): string | undefined {
  return entries.find((entry) => {
    const rule = ruleOf(entry);
    return destinations.some((destination) => matchesRule(rule, destination));
  });
}

/** Judges an address that a name resolved to, or that was written as one. */
export function judgeAddress({ host, port }: Destination, { allow, deny }: EgressRules): EgressVerdict {
  const bare = host.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  if (!ipaddr.isValid(bare)) return { kind: "refused", why: "not an address" };
  const address = meant(ipaddr.parse(bare));
  const destinations = [{ host: bare, port }, { host: String(address), port }];
  const denied = firstMatch(deny, destinations);
  if (denied !== undefined) return { kind: "refused", why: `denied by "${denied}"` };
  if (firstMatch(allow, destinations) !== undefined) return { kind: "allowed" };
  const what = special(address);
  return what === null ? { kind: "allowed" } : { kind: "refused", why: `not public: ${what}` };
}

/** Judges a host name before it is resolved; its addresses are judged apart. */
export function judgeName({ host, port }: Destination, { allow, deny }: EgressRules): EgressVerdict {
  const destination = { host, port };
  const denied = firstMatch(deny, [destination]);
  if (denied !== undefined) return { kind: "refused", why: `denied by "${denied}"` };
  if (firstMatch(allow, [destination]) !== undefined) return { kind: "allowed" };
  const name = firstMatch(deniedNames, [destination]);
  return name === undefined
    ? { kind: "allowed" }
    : { kind: "refused", why: "a name of this machine or network" };
}

/** The IPv4 address that an IPv6 address stands for, or the address itself. */
function meant(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address.kind() === "ipv4" || !embedding.some((range) => address.match(range as never))) return address;
  return new ipaddr.IPv4(address.toByteArray().slice(-4));
}

/** What the address is for when it is no public one, else `null`. */
function special(address: ipaddr.IPv4 | ipaddr.IPv6): string | null {
  const found = notPublic[address.kind()].find(([range]) => address.match(range as never));
  if (found !== undefined) return found[1];
  if (address.kind() === "ipv4" || address.match(global as never)) return null;
  return words[address.range()] ?? "reserved";
}

const words: Readonly<Record<string, string>> = {
  unspecified: "this machine",
  loopback: "loopback",
  linkLocal: "link-local",
  uniqueLocal: "unique-local",
  multicast: "multicast",
};
