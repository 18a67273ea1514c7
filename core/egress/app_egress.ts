// What an app's owner lets its functions reach: it narrows what the operator permits and widens nothing.

/** `allow` is null when everything is allowed that the operator permits. Entries are as `parseEgressRule` spells them. */
export interface AppEgress {
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
  /** The same for the same lists. */
  readonly key: string;
}

export function appEgress(allow: readonly string[] | null, deny: readonly string[]): AppEgress {
  const lists = {
    allow: allow === null ? null : [...new Set(allow)].sort(),
    deny: [...new Set(deny)].sort(),
  };
  const isOpen = lists.allow === null && lists.deny.length === 0;
  return { ...lists, key: isOpen ? "" : JSON.stringify([lists.allow, lists.deny]) };
}

/** An app that narrows nothing. */
export const openEgress: AppEgress = appEgress(null, []);
