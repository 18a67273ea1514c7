// Environment variables of apps and functions: merged key by key, sealed as one document, never returned.

import { AppError } from "../core/errors.ts";
import type { Sealer } from "../core/sealing.ts";

export type Env = Record<string, string>;

/** Values to set, and keys to delete by `null`. */
export type EnvChange = Record<string, string | null>;

const keyForm = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/;
const limits = { keys: 256, valueBytes: 64 * 1024, totalBytes: 256 * 1024 } as const;

/**
 * Reads `{"envVars": {KEY: string | null}}`.
 * @throws {AppError} VALIDATION_INVALID_SCHEMA, naming the key that is wrong.
 */
export function parseEnvChange(value: unknown, { allowEmpty = false } = {}): EnvChange {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`envVars must be an object of KEY to a string or null: it is ${describe(value)}`);
  }
  const entries = Object.entries(value);
  if (entries.length === 0 && !allowEmpty) throw invalid("envVars is empty: name at least one key");
  for (const [key, text] of entries) {
    if (/^BUTTERBASE_/i.test(key)) {
      throw invalid(`envVars.${key} cannot be changed: names that begin with BUTTERBASE_ are the platform's`);
    }
    if (!keyForm.test(key)) {
      throw invalid(
        `envVars has the key ${
          JSON.stringify(key)
        }: keys are letters, digits and underscores, and begin with no digit`,
      );
    }
    if (text !== null && typeof text !== "string") {
      throw invalid(`envVars.${key} must be a string, or null to delete it: it is ${describe(text)}`);
    }
    if (typeof text === "string" && text.includes("\0")) {
      throw invalid(`envVars.${key} holds a NUL character`);
    }
    if (typeof text === "string" && text.length > limits.valueBytes) {
      throw invalid(
        `envVars.${key} is ${text.length} characters long: at most ${limits.valueBytes} are kept`,
      );
    }
  }
  return Object.fromEntries(entries) as EnvChange;
}

/** The env after the change. @throws {AppError} VALIDATION_INVALID_SCHEMA when it grows too large. */
export function mergeEnv(env: Env, change: EnvChange): Env {
  const merged = Object.fromEntries(
    Object.entries({ ...env, ...change }).filter((entry): entry is [string, string] => entry[1] !== null),
  );
  const keys = Object.keys(merged).length;
  if (keys > limits.keys) throw invalid(`There would be ${keys} variables: at most ${limits.keys} are kept`);
  const size = JSON.stringify(merged).length;
  if (size > limits.totalBytes) {
    throw invalid(`The variables would take ${size} bytes together: at most ${limits.totalBytes} are kept`);
  }
  return merged;
}

export async function openEnv(sealer: Sealer, sealed: string | null, place: string): Promise<Env> {
  return sealed === null ? {} : JSON.parse(await sealer.open(sealed, place)) as Env;
}

export function sealEnv(sealer: Sealer, env: Env, place: string): Promise<string> {
  return sealer.seal(JSON.stringify(env), place);
}

export function appEnvPlace(appId: string): string {
  return `app/${appId}/env`;
}

function invalid(message: string): AppError {
  return new AppError("VALIDATION_INVALID_SCHEMA", `Cannot set the environment: ${message}`, {
    details: { path: "envVars" },
  });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return value === undefined ? "missing" : `of type ${typeof value}`;
}
