// The Prefer header (RFC 7240), in the words that PostgREST's users know. What is not known there is ignored, as the RFC
// says.

const known = {
  return: ["representation", "minimal"],
  count: ["exact"],
  resolution: ["merge-duplicates", "ignore-duplicates"],
  handling: ["strict", "lenient"],
} as const;

/** What the caller prefers; absent where nothing is said. */
export type Preferences = { readonly [Name in keyof typeof known]?: (typeof known)[Name][number] };

export function parsePreferences(header: string | null): Preferences {
  if (header === null) return {};
  const found: Record<string, string> = {};
  for (const preference of header.split(",")) {
    const [name = "", value = ""] = preference.split(";")[0]?.split("=").map((word) =>
      word.trim().toLowerCase()
    ) ?? [];
    const word = value.replaceAll('"', "");
    // The first of a name counts.
    if (
      Object.hasOwn(known, name) && !(name in found) &&
      (known as Record<string, readonly string[]>)[name]?.includes(word)
    ) {
      found[name] = word;
    }
  }
  return found;
}
