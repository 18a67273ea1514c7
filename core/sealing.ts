// Seals secrets at rest: AES-256-GCM, a fresh 96-bit nonce each time, bound to its place, under a named key. A value
// sealed with a former key still opens while that key is given, so the master key can be rotated.

import type { Secret } from "./config.ts";

export interface Sealer {
  /** Seals `text` for `place` (as `app/app_x/env`): what is moved elsewhere does not open there. */
  seal(text: string, place: string): Promise<string>;
  /** @throws {SealError} when the value was changed, moved, or sealed with a key that is not here. */
  open(sealed: string, place: string): Promise<string>;
  readonly keyId: string;
}

export class SealError extends Error {
  override readonly name = "SealError";
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface NamedKey {
  id: string;
  key: CryptoKey;
}

async function importKey(secret: Secret): Promise<NamedKey> {
  const bytes = Uint8Array.fromHex(secret.reveal());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {
    id: digest.subarray(0, 4).toHex(),
    key: await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]),
  };
}

/** A sealer with `current` for new values, and `former` keys for values that are still sealed with them. */
export async function createSealer(current: Secret, former: readonly Secret[] = []): Promise<Sealer> {
  const newest = await importKey(current);
  const keys = new Map(
    [newest, ...await Promise.all(former.map(importKey))].map((named) => [named.id, named.key]),
  );
  return {
    keyId: newest.id,
    async seal(text, place) {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const additionalData = encoder.encode(place);
      const sealed = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv, additionalData },
        newest.key,
        encoder.encode(text),
      );
      return `v1.${newest.id}.${iv.toBase64()}.${new Uint8Array(sealed).toBase64()}`;
    },
    async open(sealed, place) {
      const [form, id = "", nonce = "", text = ""] = sealed.split(".");
      const key = keys.get(id);
      if (form !== "v1") throw new SealError(`A sealed value has the unknown form "${form}"`);
      if (key === undefined) {
        throw new SealError(`A value is sealed with the master key "${id}", which is not here`);
      }
      try {
        const opened = await crypto.subtle.decrypt(
          { name: "AES-GCM", iv: Uint8Array.fromBase64(nonce), additionalData: encoder.encode(place) },
          key,
          Uint8Array.fromBase64(text),
        );
        return decoder.decode(opened);
      } catch (cause) {
        throw new SealError(`A sealed value does not open at "${place}"`, { cause });
      }
    },
  };
}

/** Derives a key for one purpose from the master key, by HKDF-SHA-256. */
export async function deriveKey(
  master: Secret,
  purpose: string,
  bytes = 32,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", Uint8Array.fromHex(master.reveal()), "HKDF", false, [
    "deriveBits",
  ]);
  const info = encoder.encode(purpose);
  return new Uint8Array(
    await crypto.subtle.deriveBits(
      { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info },
      key,
      bytes * 8,
    ),
  );
}
