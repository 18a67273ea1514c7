// Addresses that are no public ones, from the IANA registries of special-purpose addresses: what neither a function nor
// the platform on somebody's behalf may connect to.

/** IPv4, each with what it is for. `192.88.99.0/24` carried IPv6 to relays of whoever answered. */
export const ipv4NotPublic: readonly (readonly [range: string, what: string])[] = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "shared by a provider's customers"],
  ["127.0.0.0/8", "loopback"],
  ["168.63.129.16", "metadata of a cloud"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "reserved for protocols"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "6to4 relays"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarks"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
];

/** The only IPv6 addresses that are public, but for those below. */
export const ipv6Global = "2000::/3";

/** What is not public in `ipv6Global`. 6to4 and Teredo hold an IPv4 address that a relay would connect to. */
export const ipv6NotPublic: readonly (readonly [range: string, what: string])[] = [
  ["2001::/32", "Teredo"],
  ["2001::/23", "reserved for protocols"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["3fff::/20", "documentation"],
];

/** IPv4 in IPv6: the last 32 bits are the address that is meant. */
export const ipv4InIpv6 = ["::ffff:0:0/96", "64:ff9b::/96"];
