// One run as the server sees it: WAITING for a host → SENT → RESPONDED or over for its caller → ENDED, when nothing of
// it goes on in the isolate. A run that was sent but not begun can go back to WAITING; its request is then sent again.

import { AppError } from "../core/errors.ts";
import {
  type ConsoleEntry,
  consoleLimits,
  type InvocationResponse,
  type Outcome,
  type ReportedError,
  type RunReport,
  type StopReason,
} from "../core/invocation.ts";
import type { ConsoleMessage } from "./protocol/messages.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import type { RequestSender, ResponseReceiver } from "./body_streams.ts";
import type { Job } from "./job.ts";

type Ending = Outcome extends infer Whole ? Whole extends unknown ? Omit<Whole, "report"> : never : never;

export interface RunLimits {
  streamIdleMs: number;
  streamMaxMs: number;
  waitUntilMs: number;
  quotas: QuotaLimits;
}

export class Run {
  readonly job: Job;
  readonly outcome: Promise<Outcome>;
  readonly console: ConsoleEntry[] = [];
  readonly #limits: RunLimits;
  readonly #resolveOutcome: (outcome: Outcome) => void;
  readonly #report = Promise.withResolvers<RunReport>();
  /** Id on its host; 0 while it waits. */
  id = 0;
  /** Order on its host among the runs sent to it, from 1. */
  order = 0;
  answered = false;
  ended = false;
  phase: "handling" | "streaming" | "background" = "handling";
  /** Monotonic ms at which something must have happened; the supervisor looks every few ms. */
  dueAt = Infinity;
  sender: RequestSender | null = null;
  receiver: ResponseReceiver | null = null;
  peakMemoryMb = 0;
  cpuMs = 0;
  /** CPU ms of its process when the watch first saw it: what a run used that never reported itself. */
  cpuSeenMs: number | null = null;
  #streamEndsAt = Infinity;
  #late: RunReport["late"] = null;
  #responseBytes = 0;
  /** Whether the last line says how many were not kept. */
  #closed = false;
  #watching = false;
  #react: () => void = () => {};
  #unlisten: () => void = () => {};

  constructor(job: Job, limits: RunLimits) {
    this.job = job;
    this.#limits = limits;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#resolveOutcome = resolve;
  }

  /** What to do when whoever called is gone; nothing is done before `watchClient`. */
  onClientGone(react: () => void): void {
    this.#unlisten();
    this.#react = react;
    this.#watching = false;
  }

  /** From now on the caller's going is noticed. */
  watchClient(): void {
    if (this.#watching || this.phase === "background" || this.ended) return;
    this.#watching = true;
    const signal = this.job.signal();
    const react = this.#react;
    if (signal.aborted) return react();
    signal.addEventListener("abort", react, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", react);
  }

  print(entry: ConsoleMessage): void {
    // One line beyond the limit: it says how many the worker did not keep.
    const { length } = this.console;
    const replaces = entry.closing === true && this.#closed;
    this.console[replaces ? length - 1 : Math.min(length, this.#limits.quotas.logLines)] = {
      level: entry.level,
      message: String(entry.message).slice(0, consoleLimits.characters),
      timestamp: Number(entry.timestamp),
    };
    this.#closed ||= entry.closing === true;
  }

  /** Tells the caller how its run ended; only the first ending counts. */
  answer(ending: Ending): void {
    if (this.answered) return;
    this.answered = true;
    this.dueAt = Infinity;
    this.#resolveOutcome({ ...ending, report: this.#report.promise } as Outcome);
  }

  respond(response: InvocationResponse, now: number): void {
    if (response.body instanceof Uint8Array) this.#responseBytes = response.body.length;
    this.answer({ kind: "responded", response });
    if (response.body instanceof ReadableStream) {
      this.phase = "streaming";
      this.#streamEndsAt = now + this.#limits.streamMaxMs;
      this.flowed(now);
    } else this.bodyEnded(now);
  }

  /** A chunk of the answer went by: the stream may be silent for as long again. */
  flowed(now: number): void {
    this.dueAt = Math.min(now + this.#limits.streamIdleMs, this.#streamEndsAt);
  }

  /** The answer is out; what is left is background work, which the worker itself ends a little sooner. */
  bodyEnded(now: number): void {
    this.phase = "background";
    // A client that has its whole answer and leaves takes nothing away.
    this.#unlisten();
    this.dueAt = now + this.#limits.waitUntilMs + 1000;
  }

  streamBroke(error: ReportedError): void {
    this.#late = { kind: "stream_broke", error };
    this.receiver?.broke(new Error("The function's answer broke off"));
  }

  /** Stopped from outside, before or after its answer. */
  stop(reason: StopReason, { limit, used }: { limit: number | null; used: number | null }): void {
    if (!this.answered) return this.answer({ kind: "stopped", reason, limit, used });
    this.#late ??= { kind: "stopped", reason };
    this.receiver?.broke(new Error(`The function was stopped: ${reason}`));
  }

  /** Its caller is told at once; the handler sees a body that fails, and its deadline stays. */
  requestBroke(error: unknown): void {
    const { dueAt } = this;
    this.answer({
      kind: "request_broke",
      error: error instanceof AppError
        ? error
        : new AppError("REQUEST_ERROR", "The request's body broke off before its end", { cause: error }),
    });
    this.dueAt = dueAt;
  }

  /** The deadline stays: a handler that goes on is stopped by it. */
  clientGone(): void {
    const { dueAt } = this;
    this.stop("cancelled", { limit: null, used: null });
    this.dueAt = dueAt;
  }

  /** Nothing of the run goes on any more. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.dueAt = Infinity;
    this.#unlisten();
    this.sender?.stop();
    // Nothing more will come; whoever reads must not wait for it.
    this.receiver?.broke(new Error("The function's answer broke off"));
    const { body } = this.job.request;
    this.job.onEnd?.();
    this.#report.resolve({
      console: this.console,
      cpuMs: this.cpuMs,
      peakMemoryMb: this.peakMemoryMb,
      requestBytes: body instanceof Uint8Array ? body.length : this.sender?.sentBytes ?? 0,
      responseBytes: this.receiver?.receivedBytes ?? this.#responseBytes,
      late: this.#late,
    });
  }
}
