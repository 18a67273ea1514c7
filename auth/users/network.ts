import ipaddr from "ipaddr.js";

/** What a client's address is counted under: an IPv6 customer has a /64 of addresses to come from. */
export function networkOf(ip: string | null): string {
  if (ip === null || !ipaddr.isValid(ip)) return ip?.slice(0, 64) ?? "unknown";
  const address = ipaddr.process(ip);
  if (address.kind() === "ipv4") return address.toString();
  return `${(address as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16)).join(":")}::/64`;
}
