// The network permissions of a host: everything but what is not public, in Deno's words. Deno checks them by name and,
// after resolution, by address. IPv6 ranges cannot be written as its rules: the host's system call filter closes IPv6.

import type { AppEgress } from "../core/egress/app_egress.ts";
import { deniedNames, type EgressRules } from "../core/egress/judge.ts";
import { ipv4NotPublic } from "../core/egress/ranges.ts";
import { formatIpv4Range, type Ipv4Range, parseIpv4Range, subtractRange } from "./ipv4_range.ts";

/** What one host may reach: what the operator permits, narrowed by the app that it serves. */
export interface HostEgress extends EgressRules {
  readonly app: AppEgress;
}

// `0.0.0.0` and the IPv6 forms reach loopback unless they are denied by name.
const deniedHosts = ["0.0.0.0", "[::]", "[::1]", "[fd00:ec2::254]", ...deniedNames];

/**
 * `--allow-net` and `--deny-net` for an isolate host. An address or range that the operator allows is cut out of the
 * denied ones, since Deno's denials win; what the operator or the app denies stays denied. `sockets` are the host's own.
 */
export function egressFlags({ allow, deny, app }: HostEgress, sockets: readonly string[]): string[] {
  const holes = allow.map(parseIpv4Range).filter((range) => range !== null);
  const ranges = ipv4NotPublic.flatMap(([text]) => {
    const range = parseIpv4Range(text) as Ipv4Range;
    return holes.reduce((left, hole) => left.flatMap((part) => subtractRange(part, hole)), [range]);
  });
  const hosts = deniedHosts.filter((host) => !allow.includes(host));
  const denied = new Set([...ranges.map(formatIpv4Range), ...hosts, ...deny, ...app.deny]);
  // Without a list the flag allows everything.
  const allowed = app.allow && [...sockets.map((path) => `unix:${path}`), ...app.allow];
  return [
    allowed === null ? "--allow-net" : `--allow-net=${allowed.join(",")}`,
    `--deny-net=${[...denied].join(",")}`,
  ];
}
