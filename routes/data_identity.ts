// As whom a request reads and writes an app's tables: decided from its credential, and for a platform key from the headers
// by which its holder looks at the data as somebody else. Nothing else that a caller sends plays a part.

import { appNotFound } from "../apps/access.ts";
import type { App } from "../apps/app_registry.ts";
import { issuerOf } from "../auth/end_user_tokens.ts";
import { looksLikePlatformKey } from "../auth/platform_keys.ts";
import { AppError } from "../core/errors.ts";
import {
  anonymousIdentity,
  type DatabaseIdentity,
  serviceIdentity,
  userIdentity,
} from "../core/principal.ts";
import { type CallerParts, readCredential } from "../functions/callers.ts";

/** @throws {AppError} 401 for a bad credential, or none where the app wants one; RESOURCE_NOT_FOUND for a foreign key. */
export async function dataIdentity(
  parts: CallerParts,
  app: App,
  headers: Headers,
): Promise<DatabaseIdentity> {
  const authorization = headers.get("authorization");
  const credential = await readCredential(parts, app, authorization);
  switch (credential.kind) {
    case "none":
      if (app.accessMode !== "authenticated") return anonymousIdentity;
      throw new AppError("AUTH_REQUIRED", `The data of app "${app.id}" is open to signed-in users only`);
    case "end_user":
      return userIdentity(credential.principal.userId, credential.principal.claims);
    case "platform":
      return simulated(headers.get("x-butterbase-as-role"), headers.get("x-butterbase-as-user"));
    case "foreign":
      throw appNotFound(app.id);
    case "invalid":
      throw invalidBearer((authorization ?? "").slice("Bearer ".length).trim(), app);
    default:
      return credential satisfies never;
  }
}

function simulated(role: string | null, user: string | null): DatabaseIdentity {
  const id = user?.trim() ?? "";
  switch (role?.trim() ?? "") {
    case "":
    case "service":
      return serviceIdentity;
    case "anon":
      return anonymousIdentity;
    case "user":
      if (id !== "") return userIdentity(id);
      throw new AppError(
        "REQUEST_ERROR",
        "X-Butterbase-As-Role: user needs the user's id in X-Butterbase-As-User",
      );
    default:
      throw new AppError("REQUEST_ERROR", `X-Butterbase-As-Role "${role?.slice(0, 64)}" is not a role`, {
        remediation: "Use `anon`, or `user` with X-Butterbase-As-User, or leave the header out.",
      });
  }
}

/** Why the bearer is refused; a token's own words serve to say what is wrong with it, and for nothing else. */
function invalidBearer(token: string, app: App): AppError {
  if (looksLikePlatformKey(token)) {
    return new AppError("AUTH_INVALID_API_KEY", "The platform key is unknown or revoked");
  }
  const payload = payloadOf(token);
  if (payload === null) return new AppError("AUTH_INVALID_TOKEN", "The bearer is neither a key nor a token");
  const { iss, exp } = payload;
  if (iss === issuerOf(app.id) && typeof exp === "number" && exp * 1000 <= Date.now()) {
    return new AppError("AUTH_END_USER_JWT_EXPIRED", "The access token has expired");
  }
  return new AppError("AUTH_INVALID_END_USER_JWT", `The access token is not one of app "${app.id}"`);
}

function payloadOf(token: string): Record<string, unknown> | null {
  try {
    const bytes = Uint8Array.fromBase64(token.split(".")[1] ?? "", { alphabet: "base64url" });
    const payload: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof payload === "object" && payload !== null ? payload as Record<string, unknown> : null;
  } catch {
    return null;
  }
}
