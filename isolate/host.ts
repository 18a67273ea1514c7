// An isolate host with the runs it serves: EMPTY → SERVING → RETIRING → GONE. A host serves one version for life. Once a
// run has broken a limit it takes no more, lets the others finish while it still answers, and is killed.

import { AppError } from "../core/errors.ts";
import { type ConsoleEntry, releaseBody, type ReportedError, type StopReason } from "../core/invocation.ts";
import type { Clock } from "../core/clock.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import { CpuWatch } from "./cpu_watch.ts";
import { isAllocationFailure } from "./allocation_failure.ts";
import { Slots } from "./protocol/slots.ts";
import { receiveResponseBody, sendRequestBody } from "./body_streams.ts";
import type { HostDeath } from "./host_process.ts";
import { ResidentMemory, usedCpuMs } from "./process_usage.ts";
import type { HostProcess } from "./host_process.ts";
import { Pulse } from "./pulse.ts";
import type { IsolateVersion } from "./job.ts";
import { type Bytes, decodeJson, decodeJsonWithTail, type Frame, FrameKind } from "./protocol/frames.ts";
import type {
  BodyKind,
  CallRequest,
  EnvUpdate,
  InvokeHead,
  LoadHead,
  ReportAnswer,
  ResponseHead,
  SettledMessage,
  ThrewMessage,
} from "./protocol/messages.ts";
import type { Run } from "./run.ts";

/** So many runs go in one write at most: with more, the worker would wait while this process prepares them all. */
const runsPerWrite = 6;
const memoryReadEveryMs = 1;
const noTail = new Uint8Array(0);

export interface HostParts {
  clock: Clock;
  waitUntilMs: number;
  quotas: QuotaLimits;
  /** CPU ms for each second of an open run; 0 is no limit. */
  cpuMs: number;
  /** These runs were sent but never begun: they are to run elsewhere. */
  onReplay(runs: Run[]): void;
  /** A run ended, so there is room; or the host's state changed. */
  onRoom(host: Host): void;
  onGone(host: Host): void;
}

export class Host {
  state: "empty" | "serving" | "retiring" | "gone" = "empty";
  version: IsolateVersion | null = null;
  readonly runs = new Slots<Run>();
  idleSince: number;
  /** Memory of the process before any user code, and the most recent reading; bytes. */
  emptyBytes = 0;
  residentBytes = 0;
  /** What it ran ends it, or it ended by itself. */
  failed = false;
  readonly #memory: ResidentMemory;
  readonly memoryLimitMb: number;
  readonly cpu: CpuWatch;
  readonly #process: HostProcess;
  readonly #parts: HostParts;
  #lastOrder = 0;
  #revision = "";
  readonly #pulse: Pulse;
  #loaded = false;
  #ending = false;
  #spent = false;
  #loadFailed: ReportedError | null = null;
  #stray: ConsoleEntry[] = [];
  #memoryReadAt = -Infinity;

  constructor(process: HostProcess, memoryLimitMb: number, parts: HostParts) {
    this.#process = process;
    this.#parts = parts;
    this.memoryLimitMb = memoryLimitMb;
    this.idleSince = parts.clock.monotonic();
    this.#memory = new ResidentMemory(process.pid);
    this.cpu = new CpuWatch(process.pid, parts);
    this.#pulse = new Pulse({
      clock: parts.clock,
      ping: () => this.#tell(FrameKind.Ping),
      report: (seal) => process.report(seal),
      unseal: () => this.#tell(FrameKind.Unseal),
    });
  }

  #tell(kind: FrameKind): void {
    this.#process.out.bytes(kind, 0);
    this.#process.flushSoon();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether it takes runs: its worker answers, or was not asked. */
  responsive(now: number): boolean {
    return this.#pulse.answers(now);
  }

  /** Memory that user code takes: what the process holds beyond an empty one; MiB. */
  get usedMb(): number {
    return Math.max(0, this.residentBytes - this.emptyBytes) / (1024 * 1024);
  }

  /** The process is up, and nothing of a user's is in it yet. */
  measureEmpty(): void {
    this.emptyBytes = this.residentBytes = this.#memory.read() ?? 0;
  }

  /** Asks the kernel what the process holds, unless it was asked a moment ago. */
  readMemory(now: number): void {
    if (now - this.#memoryReadAt < memoryReadEveryMs) return;
    this.#memoryReadAt = now;
    this.residentBytes = this.#memory.read() ?? this.residentBytes;
  }

  load(version: IsolateVersion, bundle: Bytes, settings: { revision: string } & EnvUpdate): void {
    this.version = version;
    this.state = "serving";
    this.#revision = settings.revision;
    const head: LoadHead = {
      functionName: version.functionName,
      app: settings.app,
      env: settings.env,
      memoryLimitMb: version.memoryLimitMb,
      waitUntilMs: this.#parts.waitUntilMs,
      quotas: this.#parts.quotas,
    };
    this.#process.out.jsonWithTail(FrameKind.Load, 0, head, bundle);
    this.#process.flushSoon();
  }

  send(run: Run): void {
    const { out } = this.#process;
    const { request, context, settings, timeoutMs } = run.job;
    const { revision, env, app } = settings();
    if (revision !== this.#revision) {
      this.#revision = revision;
      out.json(FrameKind.Env, 0, { env, app } satisfies EnvUpdate);
    }
    run.order = ++this.#lastOrder;
    run.id = this.runs.add(run);
    run.dueAt = this.#parts.clock.monotonic() + timeoutMs;
    for (const entry of this.#stray.splice(0)) run.print(entry);
    if (this.#loadFailed !== null) {
      run.answer({ kind: "boot_failed", error: this.#loadFailed });
      return this.#endRun(run);
    }
    const { body } = request;
    const kind: BodyKind = body === null ? "none" : body instanceof Uint8Array ? "whole" : "stream";
    const head: InvokeHead = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: kind,
      user: context.user,
      caller: context.caller,
      request: context.request,
      trigger: context.trigger,
    };
    out.jsonWithTail(FrameKind.Invoke, run.id, head, body instanceof Uint8Array ? body : noTail);
    if (body instanceof ReadableStream) this.#sendBody(run, body);
    if (this.runs.size === 1 || this.#lastOrder % runsPerWrite === 0) this.#process.flush();
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
        this.#requestBroke(run, error);
      },
    });
  }

  /** Its caller is told at once; the handler sees a body that fails, and its deadline stays. */
  #requestBroke(run: Run, error: unknown): void {
    const { dueAt } = run;
    run.answer({
      kind: "request_broke",
      error: error instanceof AppError
        ? error
        : new AppError("REQUEST_ERROR", "The request's body broke off before its end", { cause: error }),
    });
    run.dueAt = dueAt;
  }

  #clientGone(run: Run): void {
    this.#process.out.json(FrameKind.Cancel, run.id, { reason: "client_gone" });
    this.#process.flushSoon();
    // The deadline stays: a handler that goes on is stopped by it.
    const { dueAt } = run;
    run.stop("cancelled", { limit: null, used: null });
    run.dueAt = dueAt;
  }

  onFrame({ kind, id, payload }: Frame): void {
    const run = this.runs.get(id);
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
        this.#pulse.pong();
        return this.#parts.onRoom(this);
      case FrameKind.ReportAnswer:
        return this.#pulse.onReport(decodeJson<ReportAnswer>(payload));
      case FrameKind.Loaded:
        this.#loaded = true;
        return this.cpu.loaded();
      case FrameKind.LoadFailed:
        return this.#bootFailed(decodeJson<ReportedError>(payload));
      case FrameKind.WorkerFailed:
        return this.#bootFailed(decodeJson<ReportedError>(payload));
      case FrameKind.Exited:
        return this.breach(run === undefined ? [...this.runs.values()] : [run], "exited", null, null);
    }
  }

  #threw(run: Run, message: ThrewMessage): void {
    if (!isAllocationFailure(message.error)) return run.answer(message);
    this.breach([run], "memory", this.memoryLimitMb, null);
  }

  #finished(run: Run, payload: Bytes): void {
    run.cpuMs = Number(this.#responded(run, payload)) || 0;
    this.#endRun(run);
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
      this.retire();
    }
    this.#endRun(run);
  }

  #endRun(run: Run): void {
    if (!this.runs.delete(run.id)) return;
    // A run may begin and end between two looks of the watch.
    this.readMemory(this.#parts.clock.monotonic());
    run.peakMemoryMb = Math.max(run.peakMemoryMb, this.usedMb);
    if (run.cpuMs === 0 && run.cpuSeenMs !== null) run.cpuMs = (usedCpuMs(this.pid) ?? 0) - run.cpuSeenMs;
    run.end();
    if (this.runs.size === 0) this.#emptied();
    this.#parts.onRoom(this);
  }

  #emptied(): void {
    this.idleSince = this.#parts.clock.monotonic();
    if (this.state === "retiring") this.#process.kill();
  }

  #printed(id: number, run: Run | undefined, entry: ConsoleEntry): void {
    if (run !== undefined) return run.print(entry);
    // A call that has ended has its row; no other call's is the place for what it still prints.
    if (id !== 0) return;
    const open = this.runs.values().next().value;
    if (open !== undefined) open.print(entry);
    else if (this.#stray.length < 100) this.#stray.push(entry);
  }

  #called(id: number, call: CallRequest): void {
    const run = this.runs.get(call.invocation);
    const answered = run === undefined
      ? Promise.resolve({
        ok: false as const,
        error: {
          name: "Error",
          message: "This invocation has ended: pass work that outlives the answer to ctx.waitUntil",
          code: null,
          fields: {},
        },
      })
      : run.job.onCall(call);
    void answered.then((result) => {
      const { tail = noTail, ...head } = result.ok ? result : { ...result, tail: noTail };
      this.#process.out.jsonWithTail(FrameKind.Answer, id, head, tail);
      this.#process.flushSoon();
    });
  }

  /** The module threw while it loaded, or something ended the worker: every run here has the same fate. */
  #bootFailed(error: ReportedError): void {
    this.#loadFailed ??= error;
    this.failed = true;
    for (const run of [...this.runs.values()]) {
      run.answer({ kind: "boot_failed", error });
      this.#endRun(run);
    }
    this.retire();
  }

  /** Asks the worker for a sign of life. Runs that wait behind one that holds its thread are given back. */
  watchPulse(now: number): void {
    this.#pulse.ping(now);
    // What a module does while it loads would hold the next host just so.
    if (this.#loaded && this.#pulse.fellSilent(now)) {
      void this.#pulse.seal("held").then((begun) => this.#giveBack(begun));
    }
  }

  /** What it uses of the CPUs, and what follows from that. */
  watchCpu(now: number): void {
    this.cpu.look(now, { begun: this.#lastOrder, open: this.runs.size });
    const { breach } = this.cpu;
    if (this.state !== "serving") return;
    if (this.cpu.worksIdle || this.cpu.calmAgain(now)) this.retire();
    else if (breach !== null && this.runs.size > 0) void this.#overspent(breach);
  }

  /** One run is to blame if it holds the thread; all are that take turns. */
  async #overspent({ limit, used }: { limit: number; used: number }): Promise<void> {
    if (this.#spent) return;
    this.#spent = true;
    if (await this.#pulse.staysSilent()) await this.#giveBackSoon();
    const holder = this.#holder();
    if (holder === undefined) await this.breachAll("cpu", limit, used);
    else this.breach([holder], "cpu", limit, used);
  }

  /** The run whose code holds the worker's thread, if it is silent and its main thread could tell. */
  #holder(): Run | undefined {
    return this.#pulse.holder === null ? undefined : this.runs.get(this.#pulse.holder);
  }

  /** Takes no more runs; the process ends when those it has are over. */
  retire(): void {
    if (this.state === "gone") return;
    this.state = "retiring";
    if (this.runs.size === 0) this.#process.kill();
  }

  /** The run's time is over, for whatever it was doing. */
  overdue(run: Run, now: number): void {
    if (run.phase !== "streaming") {
      const { holder } = this.#pulse;
      const why = holder === null || holder === run.id ? "deadline" : "held";
      return this.breach([run], why, run.job.timeoutMs, null);
    }
    // A stream that fell silent is cut; that says nothing against its isolate.
    run.stop("deadline", { limit: null, used: null });
    this.#process.out.json(FrameKind.Cancel, run.id, { reason: "deadline" });
    this.#process.flushSoon();
    run.bodyEnded(now);
  }

  /** Runs that broke a limit are over for their callers at once; the host retires, or is killed if it is stuck. */
  breach(runs: readonly Run[], reason: StopReason, limit: number | null, used: number | null): void {
    this.failed = true;
    for (const run of runs) {
      run.stop(reason, { limit, used });
      this.#process.out.json(FrameKind.Cancel, run.id, { reason: "deadline" });
      this.#endRun(run);
    }
    this.retire();
    if (this.runs.size > 0) void this.#endWhenStuck();
  }

  /** All runs are over, and the process now: memory must not grow on while others finish. */
  async breachAll(reason: StopReason, limit: number | null, used: number | null): Promise<void> {
    if (this.state === "gone") return;
    this.state = "retiring";
    // What was never begun runs elsewhere, unless nothing of it is to run at all.
    if (reason !== "paused" && reason !== "cancelled") {
      this.failed = true;
      await this.#giveBackSoon();
    }
    for (const run of [...this.runs.values()]) {
      run.stop(reason, { limit, used });
      this.#endRun(run);
    }
    this.#process.kill();
  }

  async #endWhenStuck(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const stuck = await this.#pulse.staysSilent();
    if (stuck) await this.#giveBackSoon();
    this.#ending = false;
    if (!stuck || this.runs.size === 0) return;
    // A run whose time is not over may still answer, and let the others go on.
    if (this.#holder()?.phase === "handling") return;
    await this.breachAll(this.#pulse.holder === null ? "crashed" : "held", null, null);
  }

  /** Has runs that were not begun run elsewhere; the process is going to end, with or without an answer. */
  async #giveBackSoon(): Promise<void> {
    const timeUp = new Promise<number>((resolve) => setTimeout(() => resolve(Infinity), 150));
    this.#giveBack(await Promise.race([this.#pulse.seal("always"), timeUp]));
  }

  /** The worker begins none of these any more. */
  #giveBack(begun: number): void {
    const replay: Run[] = [];
    for (const run of [...this.runs.values()]) {
      if (run.order <= begun || run.sender !== null) continue;
      if (run.answered) this.#endRun(run);
      else if (this.runs.delete(run.id)) replay.push(run);
    }
    if (replay.length > 0) this.#parts.onReplay(replay);
    if (this.runs.size === 0) this.#emptied();
  }

  onDeath({ signal, code, lastWords }: HostDeath): void {
    if (this.state === "serving") this.failed = true;
    this.state = "gone";
    this.#memory[Symbol.dispose]();
    const memory = /out of memory|Reached heap limit|allocation failed|memory allocation of/i.test(lastWords);
    for (const run of [...this.runs.values()]) {
      if (memory) run.stop("memory", { limit: this.memoryLimitMb, used: null });
      else run.stop("crashed", { limit: null, used: null });
      run.print({
        level: "error",
        message: memory
          ? `The isolate passed its heap limit of ${this.memoryLimitMb} MiB`
          : `The isolate's process ended: ${signal ?? `exit code ${code}`}`,
        timestamp: Date.now(),
      });
      this.#endRun(run);
    }
    this.#parts.onGone(this);
  }

  kill(): void {
    this.#process.kill();
  }
}
