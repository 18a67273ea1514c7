// What goes over the wire for the runs of one host: requests and settings to its worker, answers, `ctx` calls and console
// from it. What follows from a frame for the host itself, its owner does.

import { type ConsoleEntry, releaseBody, type ReportedError, type StopReason } from "../core/invocation.ts";
import type { Clock } from "../core/clock.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import { isAllocationFailure } from "./allocation_failure.ts";
import { receiveResponseBody, sendRequestBody } from "./body_streams.ts";
import { invokeHead, loadHead } from "./heads.ts";
import type { HostProcess } from "./host_process.ts";
import type { CallResult, IsolateVersion } from "./job.ts";
import { type Bytes, decodeJson, decodeJsonWithTail, type Frame, FrameKind } from "./protocol/frames.ts";
import type {
  CallRequest,
  EnvUpdate,
  ReportAnswer,
  ResponseHead,
  SettledMessage,
  ThrewMessage,
} from "./protocol/messages.ts";
import type { Slots } from "./protocol/slots.ts";
import type { Pulse } from "./pulse.ts";
import type { Run } from "./run.ts";

/** So many runs go in one write at most: with more, the worker would wait while this process prepares them all. */
const runsPerWrite = 6;
const noTail = new Uint8Array(0);
const callOfEndedRun: CallResult = {
  ok: false,
  error: {
    name: "Error",
    message: "This invocation has ended: pass work that outlives the answer to ctx.waitUntil",
    code: null,
    fields: {},
  },
};

/** The host, as its channel knows it. */
export interface ChannelOwner {
  readonly memoryLimitMb: number;
  endRun(run: Run): void;
  retire(): void;
  breach(runs: readonly Run[], reason: StopReason, limit: number | null, used: number | null): void;
  onLoaded(): void;
  onLoadFailed(error: ReportedError): void;
  onPong(): void;
}

export interface RunChannelParts {
  clock: Clock;
  waitUntilMs: number;
  quotas: QuotaLimits;
  process: HostProcess;
  pulse: Pulse;
  /** Those that were sent and have not ended; the owner takes them out again. */
  runs: Slots<Run>;
  owner: ChannelOwner;
}

export class RunChannel {
  readonly #parts: RunChannelParts;
  readonly #process: HostProcess;
  readonly #runs: Slots<Run>;
  readonly #owner: ChannelOwner;
  #lastOrder = 0;
  #revision = "";
  #loadFailed: ReportedError | null = null;
  #stray: ConsoleEntry[] = [];

  constructor(parts: RunChannelParts) {
    this.#parts = parts;
    this.#process = parts.process;
    this.#runs = parts.runs;
    this.#owner = parts.owner;
  }

  /** How many runs were ever sent. */
  get sent(): number {
    return this.#lastOrder;
  }

  load(version: IsolateVersion, bundle: Bytes, settings: { revision: string } & EnvUpdate): void {
    this.#revision = settings.revision;
    this.#process.out.jsonWithTail(FrameKind.Load, 0, loadHead(version, settings, this.#parts), bundle);
    this.#process.flushSoon();
  }

  send(run: Run): void {
    const { out } = this.#process;
    const { request, settings, timeoutMs } = run.job;
    const { revision, env, app } = settings();
    if (revision !== this.#revision) {
      this.#revision = revision;
      out.json(FrameKind.Env, 0, { env, app } satisfies EnvUpdate);
    }
    run.order = ++this.#lastOrder;
    run.id = this.#runs.add(run);
    run.dueAt = this.#parts.clock.monotonic() + timeoutMs;
    for (const entry of this.#stray.splice(0)) run.print(entry);
    if (this.#loadFailed !== null) {
      run.answer({ kind: "boot_failed", error: this.#loadFailed });
      return this.#owner.endRun(run);
    }
    const { body } = request;
    const tail = body instanceof Uint8Array ? body : noTail;
    out.jsonWithTail(FrameKind.Invoke, run.id, invokeHead(run.job), tail);
    if (body instanceof ReadableStream) this.#sendBody(run, body);
    if (this.#runs.size === 1 || this.#lastOrder % runsPerWrite === 0) this.#process.flush();
    else this.#process.flushSoon();
    run.onClientGone(() => this.#clientGone(run));
  }

  #sendBody(run: Run, stream: ReadableStream<Bytes>): void {
    const frame = (kind: FrameKind, bytes?: Bytes) => {
      this.#process.out.bytes(kind, run.id, bytes);
      this.#process.flushSoon();
    };
    run.sender = sendRequestBody({
      stream,
      onChunk: (bytes) => frame(FrameKind.RequestChunk, bytes),
      onEnd: () => frame(FrameKind.RequestEnd),
      onBroken: (error) => {
        frame(FrameKind.RequestBroken);
        run.requestBroke(error);
      },
    });
  }

  #clientGone(run: Run): void {
    this.#process.out.json(FrameKind.Cancel, run.id, { reason: "client_gone" });
    this.#process.flushSoon();
    run.clientGone();
  }

  onFrame({ kind, id, payload }: Frame): void {
    const run = this.#runs.get(id);
    switch (kind) {
      case FrameKind.Head:
        return void (run && this.#responded(run, payload));
      case FrameKind.Finished:
        return run && this.#finished(run, payload);
      case FrameKind.Settled:
        return run && this.#settled(run, decodeJson<SettledMessage>(payload));
      case FrameKind.Call:
        return this.#called(id, decodeJson<CallRequest>(payload));
      case FrameKind.ResponseChunk:
        run?.receiver?.chunk(payload);
        return run?.flowed(this.#parts.clock.monotonic());
      case FrameKind.ResponseEnd:
        run?.receiver?.end();
        return run?.bodyEnded(this.#parts.clock.monotonic());
      case FrameKind.ResponseBroken:
        return run?.streamBroke(decodeJson<ReportedError>(payload));
      case FrameKind.Threw:
        return run && this.#threw(run, decodeJson<ThrewMessage>(payload));
      case FrameKind.RequestCredit:
        return run?.sender?.credit(new DataView(payload.buffer, payload.byteOffset).getUint32(0, true));
      case FrameKind.Console:
        return this.#printed(id, run, decodeJson<ConsoleEntry>(payload));
      case FrameKind.Pong:
        return this.#owner.onPong();
      case FrameKind.ReportAnswer:
        return this.#parts.pulse.onReport(decodeJson<ReportAnswer>(payload));
      case FrameKind.Loaded:
        return this.#owner.onLoaded();
      case FrameKind.LoadFailed:
      case FrameKind.WorkerFailed:
        return this.#loadBroke(decodeJson<ReportedError>(payload));
      case FrameKind.Exited:
        return this.#owner.breach(run === undefined ? [...this.#runs.values()] : [run], "exited", null, null);
    }
  }

  #threw(run: Run, message: ThrewMessage): void {
    if (!isAllocationFailure(message.error)) return run.answer(message);
    this.#owner.breach([run], "memory", this.#owner.memoryLimitMb, null);
  }

  #finished(run: Run, payload: Bytes): void {
    run.cpuMs = Number(this.#responded(run, payload)) || 0;
    this.#owner.endRun(run);
    // The worker had the whole of it, and the run is not sent again.
    releaseBody(run.job.request.body);
  }

  /** Hands the answer on; what the worker says of its CPU time, if it does. */
  #responded(run: Run, payload: Bytes): number | undefined {
    if (run.answered) return;
    const { head, tail } = decodeJsonWithTail<ResponseHead>(payload);
    const { status, headers } = head;
    if (head.body === "stream") {
      run.receiver = receiveResponseBody({
        onCredit: (count) => this.#credit(run, count),
        onCancel: () => this.#clientGone(run),
      });
    }
    const body = head.body === "none" ? null : head.body === "whole" ? tail : run.receiver?.stream ?? null;
    run.respond({ status, headers, body }, this.#parts.clock.monotonic());
    return head.cpuMs;
  }

  #credit(run: Run, count: number): void {
    if (run.ended) return;
    const credit = new Uint8Array(4);
    new DataView(credit.buffer).setUint32(0, count, true);
    this.#process.out.bytes(FrameKind.ResponseCredit, run.id, credit);
    this.#process.flushSoon();
  }

  #settled(run: Run, { cpuMs, unfinished }: SettledMessage): void {
    run.cpuMs = cpuMs;
    if (unfinished > 0) {
      run.stop("deadline", { limit: this.#parts.waitUntilMs, used: null });
      // Nothing but the end of the process cancels a promise.
      this.#owner.retire();
    }
    this.#owner.endRun(run);
  }

  #printed(id: number, run: Run | undefined, entry: ConsoleEntry): void {
    if (run !== undefined) return run.print(entry);
    // A call that has ended has its row; no other call's is the place for what it still prints.
    if (id !== 0) return;
    const open = this.#runs.values().next().value;
    if (open !== undefined) open.print(entry);
    else if (this.#stray.length < 100) this.#stray.push(entry);
  }

  /** What the module threw while it loaded, every run that comes later is told too. */
  #loadBroke(error: ReportedError): void {
    this.#loadFailed ??= error;
    this.#owner.onLoadFailed(error);
  }

  #called(id: number, call: CallRequest): void {
    const run = this.#runs.get(call.invocation);
    const answered = run === undefined ? Promise.resolve(callOfEndedRun) : run.job.onCall(call);
    void answered.then((result) => {
      const { tail = noTail, ...head } = result.ok ? result : { ...result, tail: noTail };
      this.#process.out.jsonWithTail(FrameKind.Answer, id, head, tail);
      this.#process.flushSoon();
    });
  }
}
