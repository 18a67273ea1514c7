// Platform keys: `bb_sk_` and 40 hexadecimal digits. Only the SHA-256 of a key is stored; a key that was checked is
// remembered for a minute, a wrong one for ten seconds, and a revocation ends both on every node.

import type { Clock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import { type AccountId, type AppId, isUuid, type KeyId, newUuid, parseAppId } from "../core/ids.ts";
import { Lru } from "../core/lru.ts";
import type { KeyReach, PlatformPrincipal } from "../core/principal.ts";
import type { Notices, Sql } from "../db/mod.ts";
import {
  findPlatformKey,
  insertPlatformKey,
  listPlatformKeys,
  type PlatformKeyRow,
  revokePlatformKey,
  touchPlatformKey,
} from "../db/queries/platform_keys.ts";

const keyForm = /^bb_sk_[0-9a-f]{40}$/;
const knownForMs = 60_000;
const unknownForMs = 10_000;
const topic = "platform_keys";

export interface NewKey {
  name: string;
  reach: KeyReach;
  additionalScopes: readonly string[];
}

/** A key just made: `key` is shown this once. */
export interface MadeKey {
  key: string;
  keyId: KeyId;
  prefix: string;
  name: string;
}

export interface PlatformKeys {
  /** The principal of a key, or `null` for one that does not exist, is revoked or has expired. */
  check(key: string): Promise<PlatformPrincipal | null> | PlatformPrincipal | null;
  create(owner: AccountId, wanted: NewKey, key?: string): Promise<MadeKey>;
  list(owner: AccountId): Promise<PlatformKeyRow[]>;
  /** @throws {AppError} RESOURCE_NOT_FOUND unless the owner has such a key. */
  revoke(owner: AccountId, id: string): Promise<void>;
  /** Forgets what is known of keys, as when their account was disabled. */
  forgetAll(): Promise<void>;
}

export interface PlatformKeysParts {
  sql: Sql;
  notices: Notices;
  clock: Clock;
}

interface Known {
  principal: PlatformPrincipal | null;
  until: number;
}

export function looksLikePlatformKey(token: string): boolean {
  return token.startsWith("bb_sk_");
}

/** 20 random bytes as a key. */
export function newPlatformKey(): string {
  return `bb_sk_${crypto.getRandomValues(new Uint8Array(20)).toHex()}`;
}

async function hashKey(key: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key))).toHex();
}

export async function createPlatformKeys({ sql, notices, clock }: PlatformKeysParts): Promise<PlatformKeys> {
  // By the key itself: this map lives no longer than the requests that carry it, and hashing costs more than a call.
  const known = new Lru<string, Known>(10_000);
  // What was read before a change must not be remembered after it.
  let epoch = 0;
  const forget = () => {
    epoch++;
    known.clear();
  };
  await notices.subscribe(topic, forget);
  notices.onReconnect(forget);

  function remember(key: string, principal: PlatformPrincipal | null, readIn: number): void {
    if (readIn !== epoch) return;
    known.set(key, {
      principal,
      until: clock.monotonic() + (principal === null ? unknownForMs : knownForMs),
    });
  }

  async function look(key: string): Promise<PlatformPrincipal | null> {
    const started = epoch;
    const row = await findPlatformKey(sql, await hashKey(key));
    if (row === null) {
      remember(key, null, started);
      return null;
    }
    const principal: PlatformPrincipal = {
      kind: "platform",
      accountId: row.account_id,
      keyId: row.id,
      scopes: row.scopes,
      reach: reachOf(row.scopes),
      operator: row.operator && row.scopes.includes("*"),
    };
    remember(key, principal, started);
    await touchPlatformKey(sql, row.id);
    return principal;
  }

  return {
    check(key) {
      if (!keyForm.test(key)) return null;
      const entry = known.get(key);
      if (entry !== undefined && entry.until > clock.monotonic()) return entry.principal;
      return look(key);
    },
    async create(owner, { name, reach, additionalScopes }, key = newPlatformKey()) {
      const id = newUuid<KeyId>();
      const prefix = key.slice(0, 12);
      const own = reach.kind === "account" ? ["*"] : [`app:${reach.appId}`, "ai:gateway"];
      await insertPlatformKey(sql, {
        id,
        account_id: owner,
        name,
        key_hash: await hashKey(key),
        key_prefix: prefix,
        scopes: [...new Set([...own, ...additionalScopes])],
      });
      // Somebody may have tried it before it existed.
      epoch++;
      known.delete(key);
      return { key, keyId: id, prefix, name };
    },
    list: (owner) => listPlatformKeys(sql, owner),
    async revoke(owner, id) {
      const revoked = isUuid(id) ? await revokePlatformKey(sql, owner, id) : null;
      if (revoked === null) {
        throw new AppError("RESOURCE_NOT_FOUND", `Cannot revoke key "${id}": you have no such key`);
      }
      forget();
      await notices.publish(topic, "revoked");
    },
    async forgetAll() {
      forget();
      await notices.publish(topic, "changed");
    },
  };
}

/** What the scopes reach: a key without `*` reaches its one app, whatever else stands there. */
function reachOf(scopes: readonly string[]): KeyReach {
  if (scopes.includes("*")) return { kind: "account" };
  const app = scopes.find((scope) => scope.startsWith("app:"))?.slice("app:".length) ?? "";
  return { kind: "app", appId: parseAppId(app) ?? "" as AppId };
}
