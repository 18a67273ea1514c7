// Whether the worker of a host answers, and which run holds its thread when it does not: ANSWERING → SILENT, and back.
// The host's main thread says who holds it, and can seal the worker: what it has not begun by then it never begins, so
// that it can safely run elsewhere, even if the worker wakes up at that moment.

import type { Clock } from "../core/clock.ts";
import type { ReportAnswer } from "./protocol/messages.ts";

/** A worker that has not answered a ping for this long is stuck in user code. */
export const silentAfterMs = 200;

export interface PulseParts {
  clock: Clock;
  /** Asks the worker for a sign of life. */
  ping(): void;
  /** Asks the main thread, which answers however busy the worker is, and seals the worker. */
  report(seal: "held" | "always"): void;
  /** Ends the sealing, behind everything that was sent until now. */
  unseal(): void;
}

export class Pulse {
  /** The run that holds the thread of a silent worker; `null`: none is known. */
  holder: number | null = null;
  /** Whether the main thread was asked about this silence. */
  #asked = false;
  #pingSentAt: number | null = null;
  readonly #sealing: ((begun: number) => void)[] = [];
  readonly #parts: PulseParts;

  constructor(parts: PulseParts) {
    this.#parts = parts;
  }

  /** Whether the worker answers and takes runs; one that was not asked is taken to. */
  answers(now: number): boolean {
    return this.#sealing.length === 0 &&
      (this.#pingSentAt === null || now - this.#pingSentAt < silentAfterMs);
  }

  /** Whether a silence has just become one, so that the runs behind it are to be given back. */
  fellSilent(now: number): boolean {
    return !this.#asked && !this.answers(now);
  }

  /** At most one question at a time. */
  ping(now: number): void {
    if (this.#pingSentAt !== null) return;
    this.#pingSentAt = now;
    this.#parts.ping();
  }

  pong(): void {
    this.#pingSentAt = null;
    this.#asked = false;
    this.holder = null;
  }

  /**
   * How many runs the worker has begun; it begins no more of those that were sent until now. With "held" it is left as it
   * is when no run holds its thread, and the answer is infinite: it only waits for a CPU, as happens on a busy machine.
   */
  seal(when: "held" | "always"): Promise<number> {
    this.#asked = true;
    this.#parts.report(when);
    return new Promise((resolve) => this.#sealing.push(resolve));
  }

  onReport({ begun, holder }: ReportAnswer): void {
    // Between two steps of a run that never ends its turn, nobody holds the thread for a moment.
    if (this.#pingSentAt !== null && holder !== 0) this.holder = holder;
    if (begun === null) this.#asked = false;
    else this.#parts.unseal();
    this.#sealing.shift()?.(begun ?? Infinity);
  }

  /** Whether the worker is silent after it was given the time to answer; says so too when it answered meanwhile. */
  async staysSilent(): Promise<boolean> {
    this.ping(this.#parts.clock.monotonic());
    const asked = this.#pingSentAt;
    await new Promise((resolve) => setTimeout(resolve, silentAfterMs));
    return this.#pingSentAt === asked;
  }
}
