// Names that a new table may have. A table that exists already, made by SQL, keeps whatever name it has.

import { isPlatformTable } from "../catalogue/mod.ts";

/** PostgreSQL cuts longer ones off, so that two could become one. */
export const longestName = 63;

const form = /^[a-z_][a-z0-9_]*$/;

/** Segments of the platform's own paths below /v1/{app}/: a table so named could not be reached there. */
const segments: ReadonlySet<string> = new Set(
  `admin agents ai audit-logs auth billing chat config custom-domains durable-objects edge-ssr embeddings env fn
  frontend functions images integrations kv mcp-servers migrations partners people public rag realtime repo rls schema
  secure videos webhook`.split(/\s+/),
);

/** Whether paths below /v1/{app}/ that begin so are the platform's, and never a table's. */
export function isPlatformSegment(segment: string): boolean {
  return segments.has(segment);
}

/** Why no table, column, index or constraint can ever be named so; `null` when it can. */
export function lengthFault(name: string): string | null {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes === 0) return "a name must not be empty";
  return bytes > longestName ? `a name has at most ${longestName} bytes: this one has ${bytes}` : null;
}

/** Why nothing new may be named so. */
export function newNameFault(name: string): string | null {
  return form.test(name) ? null : "a new name consists of a-z, 0-9 and _, and does not begin with a digit";
}

/** Why no new table may be named so. */
export function newTableFault(name: string): string | null {
  if (segments.has(name) || isPlatformTable(name)) return `"${name}" is reserved for the platform`;
  return newNameFault(name);
}

/** `base`, cut so that it fits with what tells it apart from others that are cut alike. */
export function fittingName(base: string): string {
  if (lengthFault(base) === null) return base;
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(base)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  const tail = `_${hash.toString(16).padStart(8, "0")}`;
  let head = base;
  while (lengthFault(head + tail) !== null) head = head.slice(0, -1);
  return head.toWellFormed() + tail;
}
