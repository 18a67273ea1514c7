// Tokens of an app's end users: RS256, issued as `butterbase:app:<app>`, with keys of the app's own. A token that was
// verified is remembered until it expires, so that a warm call costs no signature check.

import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Clock } from "../core/clock.ts";
import type { AppId } from "../core/ids.ts";
import { Lru } from "../core/lru.ts";
import type { EndUserPrincipal } from "../core/principal.ts";
import type { Sealer } from "../core/sealing.ts";
import type { Notices, Sql } from "../db/mod.ts";
import { insertSigningKey, listSigningKeys } from "../db/queries/apps.ts";

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
}

type VerifyKey = Awaited<ReturnType<typeof importJWK>>;

interface AppKeys {
  byId: Map<string, VerifyKey>;
  jwks: JWK[];
  signing: { id: string; privateSealed: string } | null;
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
  const forget = () => {
    keysOf.clear();
    verified.clear();
  };
  await notices.subscribe(topic, forget);
  notices.onReconnect(forget);

  function keys(appId: AppId): Promise<AppKeys> {
    const known = keysOf.get(appId);
    if (known !== undefined) return known;
    const loading = loadKeys(sql, appId);
    loading.catch(() => keysOf.delete(appId));
    keysOf.set(appId, loading);
    return loading;
  }

  async function makeKey(appId: AppId): Promise<void> {
    const pair = await generateKeyPair(algorithm, { extractable: true });
    const id = crypto.randomUUID();
    const secret = JSON.stringify(await exportJWK(pair.privateKey));
    await insertSigningKey(sql, {
      id,
      app_id: appId,
      public_jwk: { ...await exportJWK(pair.publicKey), kid: id, alg: algorithm, use: "sig" },
      private_sealed: await sealer.seal(secret, `app/${appId}/signing_key/${id}`),
    });
    keysOf.delete(appId);
    await notices.publish(topic, appId);
  }

  async function check(appId: AppId, token: string): Promise<EndUserPrincipal | null> {
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
      verified.set(`${appId} ${token}`, { principal, expiresAt: payload.exp * 1000 });
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
      if ((await keys(appId)).signing === null) await makeKey(appId);
      const { signing } = await keys(appId);
      if (signing === null) throw new Error(`The app ${appId} has no signing key`);
      const secret = await sealer.open(signing.privateSealed, `app/${appId}/signing_key/${signing.id}`);
      const now = Math.floor(clock.now() / 1000);
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: algorithm, kid: signing.id })
        .setSubject(id)
        .setIssuer(issuerOf(appId))
        .setIssuedAt(now)
        .setExpirationTime(now + ttlSeconds)
        .sign(await importJWK(JSON.parse(secret), algorithm));
    },
    publicKeys: async (appId) => (await keys(appId)).jwks,
  };
}

async function loadKeys(sql: Sql, appId: AppId): Promise<AppKeys> {
  const rows = await listSigningKeys(sql, appId);
  const jwks = rows.map((row) => row.public_jwk as JWK);
  const imported = await Promise.all(jwks.map((jwk) => importJWK(jwk, algorithm)));
  const newest = rows.find((row) => row.retired_at === null);
  return {
    byId: new Map(rows.map((row, at) => [row.id, imported[at] as VerifyKey])),
    jwks,
    signing: newest === undefined ? null : { id: newest.id, privateSealed: newest.private_sealed },
  };
}

function principalOf(appId: AppId, payload: JWTPayload, userId: string): EndUserPrincipal {
  const email = typeof payload["email"] === "string" ? payload["email"] : null;
  return { kind: "end_user", appId, userId, email, claims: Object.freeze({ ...payload }) };
}
