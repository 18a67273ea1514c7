// The six digits that a mail carries: one of a kind for each account, used once, tried a few times. Only a MAC is kept,
// since a plain hash of six digits is read back at once.

import { timingSafeEqual } from "node:crypto";
import { AppError } from "../../core/errors.ts";
import type { AppId } from "../../core/ids.ts";
import type { Sql } from "../../db/mod.ts";
import { type CodeKind, putCode, tryCode, useCode } from "../../db/queries/end_user_codes.ts";

const attemptsPerCode = 5;

const kinds = {
  email_verify: { lifeSeconds: 86_400, name: "verification code" },
  password_reset: { lifeSeconds: 3600, name: "reset code" },
  magic_link: { lifeSeconds: 900, name: "sign-in code" },
} satisfies Record<CodeKind, { lifeSeconds: number; name: string }>;

type SqlOrTransaction = Parameters<typeof putCode>[0];

/** A code that was checked and is still to be used up. */
export interface CheckedCode {
  userId: string;
  kind: CodeKind;
  hash: Uint8Array;
}

export class Codes {
  readonly #sql: Sql;
  readonly #key: Promise<CryptoKey>;

  constructor({ sql, secret }: { sql: Sql; secret: Uint8Array<ArrayBuffer> }) {
    this.#sql = sql;
    this.#key = crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  }

  /** Makes a code for the account; one of the same kind that it had counts no more. */
  async issue(sql: SqlOrTransaction, userId: string, kind: CodeKind): Promise<string> {
    const code = sixDigits();
    const hash = await this.#hash(userId, kind, code);
    await putCode(sql, { userId, kind, hash, lifeSeconds: kinds[kind].lifeSeconds });
    return code;
  }

  /**
   * Checks a code without using it up; every call counts as an attempt.
   * @throws {AppError} VALIDATION_CODE_INVALID, the same for a stranger's address, VALIDATION_CODE_USED or
   * VALIDATION_CODE_EXPIRED, which only who knows the code is told.
   */
  async check(appId: AppId, { emailKey, kind, code }: { emailKey: string; kind: CodeKind; code: string }) {
    const { name } = kinds[kind];
    const tried = await tryCode(this.#sql, { appId, emailKey, kind });
    const hash = await this.#hash(tried?.user_id ?? "", kind, code);
    const matches = tried !== null && timingSafeEqual(hash, tried.code_hash);
    if (!matches || tried.attempts > attemptsPerCode) {
      throw new AppError("VALIDATION_CODE_INVALID", `Invalid ${name}`);
    }
    if (tried.used) throw usedError(kind);
    if (tried.expired) throw new AppError("VALIDATION_CODE_EXPIRED", `${capitalised(name)} expired`);
    return { userId: tried.user_id, kind, hash } satisfies CheckedCode;
  }

  /** Uses the code up. @throws {AppError} VALIDATION_CODE_USED when somebody else was quicker. */
  async use(sql: SqlOrTransaction, code: CheckedCode): Promise<void> {
    if (!await useCode(sql, code)) throw usedError(code.kind);
  }

  async #hash(userId: string, kind: CodeKind, code: string): Promise<Uint8Array> {
    const text = new TextEncoder().encode(`${userId} ${kind} ${code}`);
    return new Uint8Array(await crypto.subtle.sign("HMAC", await this.#key, text));
  }
}

function usedError(kind: CodeKind): AppError {
  return new AppError("VALIDATION_CODE_USED", `${capitalised(kinds[kind].name)} already used`);
}

function capitalised(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** 100000 to 999999, each as likely. */
function sixDigits(): string {
  const range = 900_000;
  const limit = Math.floor(2 ** 32 / range) * range;
  for (;;) {
    const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
    if (value < limit) return String(100_000 + value % range);
  }
}
