// Where functions may not connect to: private, loopback, link-local, multicast and metadata addresses, by name or by
// address, also when a name resolves there. Deno checks these after resolution; IPv6 ranges cannot be written as its
// rules, so single addresses stand for the ones that lead home.

import { formatIpv4Range, type Ipv4Range, parseIpv4Range, subtractRange } from "./ipv4_range.ts";

const deniedRanges = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

// `0.0.0.0` and the IPv6 forms reach loopback unless they are denied by name.
const deniedNames = [
  "0.0.0.0",
  "[::]",
  "[::1]",
  "[fd00:ec2::254]",
  "localhost",
  "metadata.google.internal",
  "metadata",
];

export interface EgressRules {
  allow: readonly string[];
  deny: readonly string[];
}

/**
 * `--allow-net` and `--deny-net` for an isolate host. An address or range that the operator allows is cut out of the
 * denied ones; what the operator denies stays denied.
 */
export function egressFlags({ allow, deny }: EgressRules): string[] {
  const holes = allow.map(parseIpv4Range).filter((range) => range !== null);
  const ranges = deniedRanges.flatMap((text) => {
    const range = parseIpv4Range(text) as Ipv4Range;
    return holes.reduce((left, hole) => left.flatMap((part) => subtractRange(part, hole)), [range]);
  });
  const names = deniedNames.filter((name) => !allow.includes(name));
  const denied = new Set([...ranges.map(formatIpv4Range), ...names, ...deny]);
  return ["--allow-net", `--deny-net=${[...denied].join(",")}`];
}
