// Ranges of IPv4 addresses, and what is left of one when another is taken out: Deno's deny rules win over its allow
// rules, so an allowed address has to be cut out of the denied range that holds it.

export interface Ipv4Range {
  /** First address, as a number. */
  start: number;
  /** Bits that all its addresses share. */
  prefix: number;
}

/** Reads `10.0.0.0/8` or `10.1.2.3`; `null` for anything else. */
export function parseIpv4Range(text: string): Ipv4Range | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (parts === null) return null;
  const bytes = parts.slice(1, 5).map(Number);
  const prefix = parts[5] === undefined ? 32 : Number(parts[5]);
  if (bytes.some((byte) => byte > 255) || prefix > 32) return null;
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { start: address - (address % size(prefix)), prefix };
}

export function formatIpv4Range({ start, prefix }: Ipv4Range): string {
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256);
  return prefix === 32 ? bytes.join(".") : `${bytes.join(".")}/${prefix}`;
}

function size(prefix: number): number {
  return 2 ** (32 - prefix);
}

function holds(outer: Ipv4Range, inner: Ipv4Range): boolean {
  return outer.prefix <= inner.prefix && inner.start >= outer.start &&
    inner.start < outer.start + size(outer.prefix);
}

/** `range` without `hole`: the halves of it that do not hold the hole, again and again. */
export function subtractRange(range: Ipv4Range, hole: Ipv4Range): Ipv4Range[] {
  if (holds(hole, range)) return [];
  if (!holds(range, hole)) return [range];
  const prefix = range.prefix + 1;
  const halves = [{ start: range.start, prefix }, { start: range.start + size(prefix), prefix }];
  return halves.flatMap((half) => subtractRange(half, hole));
}
