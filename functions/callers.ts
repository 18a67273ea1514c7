// Who calls a function over /fn/, and what that makes of it: the table of docs/functions.md, row by row. The role of
// `ctx.db` follows from the credential here, and from nothing else.

import { mayManage } from "../apps/access.ts";
import type { App } from "../apps/app_registry.ts";
import type { EndUserTokens } from "../auth/end_user_tokens.ts";
import { looksLikePlatformKey, type PlatformKeys } from "../auth/platform_keys.ts";
import { AppError } from "../core/errors.ts";
import type { Caller, FunctionUser } from "../core/invocation.ts";
import {
  anonymousIdentity,
  type DatabaseIdentity,
  type EndUserPrincipal,
  type PlatformPrincipal,
  serviceIdentity,
  userIdentity,
} from "../core/principal.ts";
import type { LiveFunction } from "./function_registry.ts";

/** A caller as its function sees it. */
export interface FunctionCaller {
  caller: Caller;
  user: FunctionUser | null;
  identity: DatabaseIdentity;
}

/** What the Authorization header of a request turned out to be. */
export type Credential =
  | { kind: "none" }
  | { kind: "invalid" }
  /** A good key that has nothing to do with this app. */
  | { kind: "foreign" }
  | { kind: "platform"; principal: PlatformPrincipal }
  | { kind: "end_user"; principal: EndUserPrincipal };

export const noCredential: Credential = { kind: "none" };

export interface CallerParts {
  keys: PlatformKeys;
  tokens: EndUserTokens;
}

/** Reads the credential; a wrong one is no error yet, since the function may let anybody in. */
export async function readCredential(
  { keys, tokens }: CallerParts,
  app: App,
  authorization: string | null,
): Promise<Credential> {
  if (authorization === null || !authorization.startsWith("Bearer ")) return noCredential;
  const token = authorization.slice("Bearer ".length).trim();
  if (token === "" || token === app.anonKey) return noCredential;
  if (looksLikePlatformKey(token)) {
    const principal = await keys.check(token);
    if (principal === null) return { kind: "invalid" };
    return mayManage(principal, app) ? { kind: "platform", principal } : { kind: "foreign" };
  }
  const principal = await tokens.verify(app.id, token);
  return principal === null ? { kind: "invalid" } : { kind: "end_user", principal };
}

/**
 * Lets the caller in, or not.
 * @throws {AppError} AUTH_REQUIRED, AUTH_INVALID_TOKEN, AUTH_IMPERSONATION_FORBIDDEN, AUTH_IMPERSONATION_DISABLED.
 */
export function admit(credential: Credential, fn: LiveFunction, asUser: string | null): FunctionCaller {
  const known = credential.kind === "platform" || credential.kind === "end_user";
  if (!known && fn.http?.auth === "required") refuse(credential.kind, fn.name);
  const impersonated = asUser?.trim() ?? "";
  if (credential.kind === "platform") return platformCaller(credential.principal, fn, impersonated);
  if (impersonated !== "") {
    throw new AppError(
      "AUTH_IMPERSONATION_FORBIDDEN",
      `Cannot call "${fn.name}" as another user: only a platform key of the app may send X-Butterbase-As-User`,
    );
  }
  return credential.kind === "end_user" ? endUserCaller(credential.principal) : anonymousCaller;
}

function refuse(kind: "none" | "invalid" | "foreign", name: string): never {
  if (kind === "invalid") {
    throw new AppError("AUTH_INVALID_TOKEN", `Cannot call "${name}": the token is wrong, expired or revoked`);
  }
  throw new AppError(
    "AUTH_REQUIRED",
    kind === "none"
      ? `Cannot call "${name}" without a token: its http trigger says auth "required"`
      : `Cannot call "${name}": the key belongs to another app or account`,
  );
}

/** Nobody: `butterbase_anon`, under row-level security. */
export const anonymousCaller: FunctionCaller = {
  caller: { type: "anonymous", keyId: null, scope: null, userId: null },
  user: null,
  identity: anonymousIdentity,
};

export function endUserCaller({ userId, email, claims }: EndUserPrincipal): FunctionCaller {
  return {
    caller: { type: "end_user_jwt", keyId: null, scope: null, userId },
    user: { id: userId, email, claims },
    identity: userIdentity(userId, claims),
  };
}

/** A platform key runs as the service, unless it asks to be seen as a user. */
export function platformCaller(
  principal: PlatformPrincipal,
  fn: LiveFunction,
  asUser: string,
): FunctionCaller {
  const scope = principal.scopes.find((word) => word.startsWith("app:")) ?? principal.scopes[0] ?? null;
  const caller: Caller = { type: "service_key", keyId: principal.keyId, scope, userId: null };
  if (asUser === "") return { caller, user: null, identity: serviceIdentity };
  if (!fn.allowServiceKeyImpersonation) {
    throw new AppError(
      "AUTH_IMPERSONATION_DISABLED",
      `Cannot call "${fn.name}" as another user: its settings do not allow it`,
    );
  }
  return {
    caller: { ...caller, userId: asUser },
    user: { id: asUser, email: null, claims: {} },
    identity: userIdentity(asUser),
  };
}

/** `ctx.invoke`: the other function sees its caller's user and role. */
export function loopbackCaller(app: App, { user, identity }: FunctionCaller): FunctionCaller {
  return {
    caller: { type: "loopback", keyId: null, scope: `app:${app.id}`, userId: user?.id ?? null },
    user,
    identity,
  };
}
