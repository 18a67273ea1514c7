// Tokens of an app's end users: RS256, issued as `butterbase:app:<app>`, with keys of the app's own. A key is named by the
// token's `kid` and has to be the app's. A token that was verified is remembered until it expires, so that a warm call
// costs no signature check.

import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Clock } from "../core/clock.ts";
import type { AppId } from "../core/ids.ts";
import { Lru } from "../core/lru.ts";
import type { EndUserPrincipal } from "../core/principal.ts";
import type { Sealer } from "../core/sealing.ts";
import { type Notices, type Sql, transaction } from "../db/mod.ts";
import { insertSigningKey, listSigningKeys, retireSigningKeys } from "../db/queries/signing_keys.ts";
import { longestTokenSeconds } from "./token_lifetimes.ts";

const algorithm = "RS256";
const topic = "app_signing_keys";

export interface EndUserTokens {
  /** The signed-in user, or `null` for a token that is expired, foreign or forged. */
  verify(appId: AppId, token: string): Promise<EndUserPrincipal | null> | EndUserPrincipal | null;
  /** Signs an access token; `claims` stand beside `sub`, `iss`, `iat` and `exp`. */
  issue(
    appId: AppId,
    user: { id: string; claims: Record<string, unknown> },
    ttlSeconds: number,
  ): Promise<string>;
  /** The app's public keys, as JWKS lists them. */
  publicKeys(appId: AppId): Promise<JWK[]>;
  /** The app's keys, the one that signs first. */
  keys(appId: AppId): Promise<SigningKey[]>;
  /**
   * Makes a new key sign. The former ones verify until what they signed has expired; with `end` they are gone at once,
   * and everybody has to refresh.
   */
  rotate(appId: AppId, options: { former: "keep" | "end" }): Promise<SigningKey[]>;
}

/** A key as the app's owner sees it. */
export interface SigningKey {
  kid: string;
  signs: boolean;
  createdAt: Date;
  /** When a former key stops verifying. */
  verifiesUntil: Date | null;
}

type VerifyKey = Awaited<ReturnType<typeof importJWK>>;

interface AppKeys {
  byId: Map<string, VerifyKey>;
  jwks: JWK[];
  signing: { id: string; key(): Promise<VerifyKey> } | null;
  listed: SigningKey[];
}

export interface EndUserTokensParts {
  sql: Sql;
  notices: Notices;
  sealer: Sealer;
  clock: Clock;
}

export function issuerOf(appId: AppId): string {
  return `butterbase:app:${appId}`;
}

export async function createEndUserTokens(parts: EndUserTokensParts): Promise<EndUserTokens> {
  const { sql, notices, sealer, clock } = parts;
  const keysOf = new Lru<AppId, Promise<AppKeys>>(10_000);
  const verified = new Lru<string, { principal: EndUserPrincipal; expiresAt: number }>(20_000);
  // What was checked before a change must not be remembered after it.
  let epoch = 0;
  const forget = () => {
    epoch++;
    keysOf.clear();
    verified.clear();
  };
  await notices.subscribe(topic, forget);
  notices.onReconnect(forget);

  function keys(appId: AppId): Promise<AppKeys> {
    const known = keysOf.get(appId);
    if (known !== undefined) return known;
    const loading = loadKeys(sql, sealer, appId);
    loading.catch(() => keysOf.delete(appId));
    keysOf.set(appId, loading);
    return loading;
  }

  /** What `insert` stores of a new key decides; every node reads it again. */
  async function makeKey(
    appId: AppId,
    insert: (key: Parameters<typeof insertSigningKey>[1]) => Promise<void>,
  ): Promise<void> {
    const pair = await generateKeyPair(algorithm, { extractable: true });
    const id = crypto.getRandomValues(new Uint8Array(8)).toHex();
    const secret = JSON.stringify(await exportJWK(pair.privateKey));
    await insert({
      id,
      app_id: appId,
      public_jwk: { ...await exportJWK(pair.publicKey), kid: id, alg: algorithm, use: "sig" },
      private_sealed: await sealer.seal(secret, keyPlace(appId, id)),
    });
    forget();
    await notices.publish(topic, appId);
  }

  async function check(appId: AppId, token: string): Promise<EndUserPrincipal | null> {
    const started = epoch;
    try {
      const { byId } = await keys(appId);
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          const key = byId.get(kid ?? "");
          if (key === undefined) throw new Error("The token is signed with a key that is not the app's");
          return key;
        },
        { issuer: issuerOf(appId), algorithms: [algorithm], currentDate: new Date(clock.now()) },
      );
      if (typeof payload.sub !== "string" || payload.sub === "" || payload.exp === undefined) return null;
      const principal = principalOf(appId, payload, payload.sub);
      if (started === epoch) verified.set(`${appId} ${token}`, { principal, expiresAt: payload.exp * 1000 });
      return principal;
    } catch {
      return null;
    }
  }

  return {
    verify(appId, token) {
      const known = verified.get(`${appId} ${token}`);
      if (known !== undefined && known.expiresAt > clock.now()) return known.principal;
      // Three parts of base64url: what cannot be a token costs no key look-up.
      return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) && token.length <= 8192 ? check(appId, token) : null;
    },
    async issue(appId, { id, claims }, ttlSeconds) {
      if ((await keys(appId)).signing === null) {
        await makeKey(appId, (key) => insertSigningKey(sql, key));
      }
      const { signing } = await keys(appId);
      if (signing === null) throw new Error(`The app ${appId} has no signing key`);
      const now = Math.floor(clock.now() / 1000);
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: algorithm, kid: signing.id })
        .setSubject(id)
        .setIssuer(issuerOf(appId))
        .setIssuedAt(now)
        .setExpirationTime(now + ttlSeconds)
        .sign(await signing.key());
    },
    publicKeys: async (appId) => (await keys(appId)).jwks,
    keys: async (appId) => (await keys(appId)).listed,
    async rotate(appId, { former }) {
      await makeKey(appId, (key) =>
        transaction(sql, async (tx) => {
          await retireSigningKeys(tx, appId, former === "end" ? 0 : longestTokenSeconds);
          await insertSigningKey(tx, key);
        }));
      return (await keys(appId)).listed;
    },
  };
}

function keyPlace(appId: AppId, id: string): string {
  return `app/${appId}/signing_key/${id}`;
}

async function loadKeys(sql: Sql, sealer: Sealer, appId: AppId): Promise<AppKeys> {
  const rows = await listSigningKeys(sql, appId);
  const jwks = rows.map((row) => row.public_jwk as JWK);
  const imported = await Promise.all(jwks.map((jwk) => importJWK(jwk, algorithm)));
  const newest = rows.find((row) => row.retired_at === null);
  let opened: Promise<VerifyKey> | undefined;
  async function open({ id, private_sealed }: { id: string; private_sealed: string }): Promise<VerifyKey> {
    return await importJWK(JSON.parse(await sealer.open(private_sealed, keyPlace(appId, id))), algorithm);
  }
  return {
    byId: new Map(rows.map((row, at) => [row.id, imported[at] as VerifyKey])),
    jwks,
    signing: newest === undefined ? null : { id: newest.id, key: () => opened ??= open(newest) },
    listed: rows.map((row) => ({
      kid: row.id,
      signs: row.retired_at === null,
      createdAt: row.created_at,
      verifiesUntil: row.verifies_until,
    })),
  };
}

function principalOf(appId: AppId, payload: JWTPayload, userId: string): EndUserPrincipal {
  const email = typeof payload["email"] === "string" ? payload["email"] : null;
  return { kind: "end_user", appId, userId, email, claims: Object.freeze({ ...payload }) };
}
