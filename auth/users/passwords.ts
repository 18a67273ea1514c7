// Passwords: Argon2id, off the event loop, so many at once, and never compared faster for a stranger than for a user.

import { hash, verify } from "@node-rs/argon2";
import { AppError } from "../../core/errors.ts";
import { Turnstile } from "../../core/turnstile.ts";

export const longestPasswordBytes = 1024;

/** OWASP's parameters for Argon2id, which the library uses when none is named: 19 MiB while it runs. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const presentForm =
  `$argon2id$v=19$m=${parameters.memoryCost},t=${parameters.timeCost},p=${parameters.parallelism}$`;

export interface PasswordsParts {
  /** Hashes under way at once, and how many may wait for one. */
  atOnce: number;
  waiting: number;
}

export class Passwords {
  readonly #turnstile: Turnstile;
  #nobodys: Promise<string> | undefined;

  constructor({ atOnce, waiting }: PasswordsParts) {
    this.#turnstile = new Turnstile({ atOnce, waiting });
  }

  /** @throws {AppError} QUOTA_RATE_LIMIT when too many wait. */
  hash(password: string): Promise<string> {
    return this.#turnstile.pass("hash a password", () => hash(normalised(password), parameters));
  }

  /**
   * Whether the password is the one that was hashed; for `null`, who has none, it takes the same work to say no.
   * @throws {AppError} QUOTA_RATE_LIMIT when too many wait.
   */
  async verify(password: string, stored: string | null): Promise<boolean> {
    const nobodys = await (this.#nobodys ??= hash(crypto.randomUUID(), parameters));
    const matches = await this.#turnstile.pass(
      "check a password",
      () => verify(stored ?? nobodys, normalised(password)),
    );
    return matches && stored !== null;
  }

  /** Whether the hash was made with other parameters than those of today. */
  isOutdated(stored: string): boolean {
    return !stored.startsWith(presentForm);
  }
}

/** NFKC, as NIST SP 800-63B advises: keyboards differ in how they write the same letter. */
function normalised(password: string): string {
  return password.normalize("NFKC");
}

/** Rules that the password does not meet. */
export function unmetRules(password: string): string[] {
  const text = normalised(password);
  const rules: [boolean, string][] = [
    [[...text].length >= 8, "The password must have at least 8 characters"],
    [/[A-Z]/.test(text), "The password must have an upper-case letter (A-Z)"],
    [/[a-z]/.test(text), "The password must have a lower-case letter (a-z)"],
    [/[0-9]/.test(text), "The password must have a digit"],
    [/[^A-Za-z0-9]/.test(text), "The password must have a character other than letters A-Z and digits"],
  ];
  return rules.filter(([met]) => !met).map(([, rule]) => rule);
}

/** @throws {AppError} VALIDATION_WEAK_PASSWORD, naming each rule that is not met. */
export function checkRules(password: string): void {
  const unmet = unmetRules(password);
  if (unmet.length === 0) return;
  throw new AppError("VALIDATION_WEAK_PASSWORD", unmet.join(". "), { details: unmet });
}
