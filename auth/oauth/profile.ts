// Turns a provider's words about somebody into a profile that can only hold good values.

import type { ProviderProfile } from "../users/mod.ts";
import type { RawProfile } from "./provider_kinds.ts";

/** @throws {Error} whose message completes "Cannot sign in by …: ". */
export function profileOf(provider: string, raw: RawProfile): ProviderProfile {
  const id = typeof raw.id === "number" && Number.isSafeInteger(raw.id) ? String(raw.id) : raw.id;
  if (typeof id !== "string" || !/^[^\p{Cc}]{1,255}$/u.test(id)) {
    throw new Error("it gave no usable id of the person");
  }
  if (typeof raw.email !== "string" || raw.email === "") {
    throw new Error("it gave no e-mail address; the scopes must ask for it, and the person must have one");
  }
  return {
    provider,
    providerUid: id,
    email: raw.email,
    // Apple sends the word.
    emailVerified: raw.emailVerified === true || raw.emailVerified === "true",
    displayName: nameOf(raw.name),
    avatarUrl: pictureOf(raw.picture),
  };
}

function nameOf(name: unknown): string | null {
  if (typeof name !== "string" || !name.isWellFormed()) return null;
  const line = name.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
  return [...line].slice(0, 200).join("") || null;
}

function pictureOf(picture: unknown): string | null {
  const url = typeof picture === "string" && picture.length <= 2048 ? URL.parse(picture) : null;
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : null;
}
