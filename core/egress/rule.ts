// One entry of a list of allowed or denied hosts, as an operator or an app's owner writes it: a host name, `*.` and a
// name, an IPv4 address or range, or an IPv6 address in brackets, each with a port if wanted.

import ipaddr from "ipaddr.js";

export type EgressRule =
  | { kind: "name"; name: string; port: number | null; text: string }
  /** The domain and everything below it. */
  | { kind: "domain"; name: string; port: number | null; text: string }
  | {
    kind: "range";
    range: [ipaddr.IPv4 | ipaddr.IPv6, number];
    port: number | null;
    text: string;
  };

/** What is connected to: a host name or an address without brackets, and a port. */
export interface Destination {
  host: string;
  port: number;
}

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

/**
 * Reads one entry; its `text` is the one spelling that it is stored and compared in, and that Deno takes.
 * @throws {Error} whose message completes "must be".
 */
export function parseEgressRule(given: string): EgressRule {
  const [, host = "", portText] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(given) ?? [];
  if (host === "" || /[@?#\s,]|:\/\//.test(given)) {
    throw new Error("a host without a scheme, path or credentials, as api.example.com or 203.0.113.0/24");
  }
  const port = portText === undefined ? null : Number(portText);
  if (port !== null && (!/^\d{1,5}$/.test(portText ?? "") || port < 1 || port > 65_535)) {
    throw new Error("a host with a port from 1 to 65535, as api.example.com:443");
  }
  if (host.startsWith("[")) return ipv6Rule(host, port);
  if (/^[\d.]+(\/\d+)?$/.test(host)) return ipv4Rule(host, port);
  return nameRule(host, port);
}

function withPort(host: string, port: number | null): string {
  return port === null ? host : `${host}:${port}`;
}

function ipv6Rule(host: string, port: number | null): EgressRule {
  const inside = host.slice(1, -1);
  if (inside.includes("/")) {
    throw new Error("a single IPv6 address: ranges of IPv6 cannot be given");
  }
  if (!ipaddr.IPv6.isValid(inside) || inside.includes("%")) {
    throw new Error("an IPv6 address in brackets, as [2001:db8::1]");
  }
  const address = ipaddr.IPv6.parse(inside);
  return { kind: "range", range: [address, 128], port, text: withPort(`[${address}]`, port) };
}

function ipv4Rule(host: string, port: number | null): EgressRule {
  const [address = "", prefixText] = host.split("/");
  const prefix = prefixText === undefined ? 32 : Number(prefixText);
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) || prefix > 32) {
    throw new Error("an IPv4 address of four decimal numbers, or a range of them, as 203.0.113.0/24");
  }
  const network = ipaddr.IPv4.networkAddressFromCIDR(`${address}/${prefix}`);
  const text = withPort(prefix === 32 ? String(network) : `${network}/${prefix}`, port);
  return { kind: "range", range: [network, prefix], port, text };
}

function nameRule(host: string, port: number | null): EgressRule {
  const isDomain = host.startsWith("*.");
  const name = hostName(isDomain ? host.slice(2) : host);
  if (name === null) {
    throw new Error("a host name, `*.` and a domain, or an IPv4 address or range; `*` stands only in front");
  }
  const text = withPort(isDomain ? `*.${name}` : name, port);
  return { kind: isDomain ? "domain" : "name", name, port, text };
}

/** The name in lower case, as it goes over the wire, without the root's dot; `null` for what is none. */
function hostName(text: string): string | null {
  if (/[/%[\]\\*]/.test(text)) return null;
  const name = URL.parse(`http://${text}/`)?.hostname.replace(/\.$/, "") ?? "";
  // What the URL standard reads as an address, such as 0x7f.1, must be written as one.
  if (name.length > 253 || ipaddr.isValid(name)) return null;
  return name.split(".").every((part) => label.test(part)) ? name : null;
}

/** Whether the entry speaks of this destination, by its name or its address as it was written. */
export function matchesRule(rule: EgressRule, { host, port }: Destination): boolean {
  if (rule.port !== null && rule.port !== port) return false;
  const name = host.toLowerCase().replace(/\.$/, "");
  switch (rule.kind) {
    case "name":
      return name === rule.name;
    case "domain":
      return name === rule.name || name.endsWith(`.${rule.name}`);
    case "range": {
      if (!ipaddr.isValid(name)) return false;
      const address = ipaddr.process(name);
      return address.kind() === rule.range[0].kind() && address.match(rule.range as never);
    }
    default:
      return rule satisfies never;
  }
}
