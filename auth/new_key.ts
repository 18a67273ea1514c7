// The body of POST /api-keys, in its present form and in the older one.

import { AppError, type ErrorCode } from "../core/errors.ts";

export interface NewKeyDraft {
  name: string;
  /** `null` for a key of the whole account. */
  targetAppId: string | null;
  additionalScopes: string[];
}

const knownScopes = ["ai:gateway"];

/** @throws {AppError} with the code of the contract for what is wrong. */
export function parseNewKey(body: unknown): NewKeyDraft {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw refuse("VALIDATION_INVALID_SCHEMA", "the body must be a JSON object");
  }
  const given = body as Record<string, unknown>;
  const { name, scopes, scope, key_scope: keyScope = "account", target_app_id: target = null } = given;
  if (typeof name !== "string" || name.trim() === "" || name.length > 200) {
    throw refuse("VALIDATION_INVALID_SCHEMA", "name must be a string of 1 to 200 characters");
  }
  if (scope !== undefined && scope !== "app") {
    throw refuse("VALIDATION_INVALID_SCOPE", `scope is ${JSON.stringify(scope)}: only "app" is known here`);
  }
  const modern = "key_scope" in given || "additional_scopes" in given || "target_app_id" in given;
  if (scopes !== undefined && modern) {
    throw refuse(
      "VALIDATION_INVALID_SCHEMA",
      "scopes is the older form: use it alone, or additional_scopes with key_scope",
    );
  }
  if (keyScope !== "account" && keyScope !== "app") {
    throw refuse("INVALID_KEY_SCOPE", `key_scope is ${JSON.stringify(keyScope)}`);
  }
  if (keyScope === "app" && (typeof target !== "string" || target === "")) {
    throw refuse("TARGET_APP_REQUIRED", "a key with key_scope `app` needs target_app_id");
  }
  if (keyScope === "account" && target !== null) {
    throw refuse("TARGET_APP_NOT_ALLOWED", "a key with key_scope `account` has no target_app_id");
  }
  return {
    name: name.trim(),
    targetAppId: keyScope === "app" ? target as string : null,
    additionalScopes: readScopes(scopes ?? given["additional_scopes"] ?? []),
  };
}

function readScopes(scopes: unknown): string[] {
  if (!Array.isArray(scopes)) {
    throw refuse("VALIDATION_INVALID_SCHEMA", "additional_scopes must be an array of strings");
  }
  for (const word of scopes) {
    if (word === "*" || (typeof word === "string" && word.startsWith("app:"))) {
      throw refuse("RESERVED_SCOPE", `the scope ${JSON.stringify(word)} cannot be asked for by name`);
    }
    if (!knownScopes.includes(word as string)) {
      throw refuse("UNKNOWN_SCOPE", `the scope ${JSON.stringify(word)} does not exist`);
    }
  }
  return scopes as string[];
}

function refuse(code: ErrorCode, reason: string): AppError {
  return new AppError(code, `Cannot create the key: ${reason}`);
}
