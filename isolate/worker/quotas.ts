// The limits of this isolate and its invocations, and the one error that a function gets at each of them. Counting is
// done so that a count cannot leak: `Room` asks what is really there, and only when it may be too much.

import { defaultQuotas, quotaMessage, type QuotaName, quotas, type QuotaUse } from "../../core/quotas.ts";

/** In force; those of the server come with the bundle. */
export const limits: Record<QuotaName, number> = { ...defaultQuotas };

/** What user code catches when it asks for more than it may have. */
export class QuotaExceededError extends Error {
  override readonly name = "QuotaExceededError";
  readonly code = "QUOTA_LIMIT_EXCEEDED";
  readonly limit: number;
  readonly used: number;
  /** What the operator can raise; `null` where nothing can be. */
  readonly setting: string | null;

  constructor(
    message: string,
    { limit, used, setting }: Omit<QuotaUse, "setting"> & { setting: string | null },
  ) {
    super(message);
    this.limit = limit;
    this.used = used;
    this.setting = setting;
  }
}

export function exceeded(name: QuotaName, used: number): QuotaExceededError {
  const { setting, instead } = quotas[name];
  const use = { limit: limits[name], used, setting };
  return new QuotaExceededError(`${quotaMessage(name, use)}. ${instead}.`, use);
}

/** For what a function has none of, whatever the settings. */
export function none(what: string, instead: string): QuotaExceededError {
  return new QuotaExceededError(`A function may have 0 ${what}: ${instead}`, {
    limit: 0,
    used: 0,
    setting: null,
  });
}

/** How much of a limit is left. `count` says what is in use; between two counts only what is taken is subtracted. */
export class Room {
  readonly #name: QuotaName;
  readonly #count: () => number;
  #left = 0;

  constructor(name: QuotaName, count: () => number) {
    this.#name = name;
    this.#count = count;
  }

  /** Whether `take` would succeed. */
  get free(): boolean {
    if (this.#left <= 0) this.#left = limits[this.#name] - this.#count();
    return this.#left > 0;
  }

  /** @throws {QuotaExceededError} */
  take(): void {
    if (!this.free) throw exceeded(this.#name, limits[this.#name] - this.#left);
    this.#left--;
  }
}
