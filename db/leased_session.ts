// A session while one caller holds it: its abort signal reaches the server, and the session goes back to the pool only
// once it is known to be clean. LEASED → (CANCELLING) → RETURNED; a server that does not answer a cancel loses the session.

import type { AbortSignalLike } from "./abort_signal.ts";
import type { AppSession } from "./app_session.ts";
import type { Lease } from "./connection_pool.ts";
import { translateError } from "./query_error.ts";

/** How long a cancelled statement may take to end before its connection is closed. */
const cancelPatienceMs = 5000;

export class LeasedSession {
  readonly session: AppSession;
  readonly #lease: Lease<AppSession>;
  readonly #signal: AbortSignalLike | undefined;
  #cancelling: Promise<void> | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;
  readonly #onAbort = () => this.#cancel();

  constructor(lease: Lease<AppSession>, signal: AbortSignalLike | undefined) {
    this.#lease = lease;
    this.session = lease.item;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  /** What `error` means to the caller: the abort if there was one, else the failure itself, translated. */
  explain(error: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    return translateError(error, "Cannot run the statement");
  }

  /** Gives the session back: at once when it is clean, else after the cleaning, which is then given as a promise. */
  giveBack(): Promise<void> | undefined {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    if (this.session.isClean && this.#cancelling === undefined) {
      this.#lease.release("clean");
      return undefined;
    }
    return this.#cleanAndGiveBack();
  }

  async #cleanAndGiveBack(): Promise<void> {
    // A cancel that comes late hits the cleaning, or nothing: it must have arrived before.
    await this.#cancelling;
    const clean = this.session.isOpen && await this.session.clean();
    clearTimeout(this.#patience);
    this.#lease.release(clean ? "clean" : "discard");
  }

  #cancel(): void {
    const { connection } = this.session;
    this.#cancelling ??= connection.cancel().catch(() => connection.close());
    this.#patience = setTimeout(() => connection.close(), cancelPatienceMs);
  }
}
