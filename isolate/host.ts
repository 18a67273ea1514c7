// An isolate host with the runs it serves: EMPTY → SERVING → RETIRING → GONE. A host serves one version for life. Once a
// run has broken a limit it takes no more, lets the others finish while it still answers, and is killed.

import type { ReportedError, StopReason } from "../core/invocation.ts";
import type { Clock } from "../core/clock.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import { CpuWatch } from "./cpu_watch.ts";
import { HostMemory } from "./host_memory.ts";
import type { HostDeath, HostProcess } from "./host_process.ts";
import type { IsolateVersion } from "./job.ts";
import { usedCpuMs } from "./process_usage.ts";
import { type Bytes, FrameKind } from "./protocol/frames.ts";
import type { EnvUpdate } from "./protocol/messages.ts";
import { Slots } from "./protocol/slots.ts";
import { Pulse } from "./pulse.ts";
import type { Run } from "./run.ts";
import { type ChannelOwner, RunChannel } from "./run_channel.ts";

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

export class Host implements ChannelOwner {
  state: "empty" | "serving" | "retiring" | "gone" = "empty";
  version: IsolateVersion | null = null;
  readonly runs = new Slots<Run>();
  idleSince: number;
  /** What it ran ends it, or it ended by itself. */
  failed = false;
  readonly memory: HostMemory;
  readonly memoryLimitMb: number;
  readonly cpu: CpuWatch;
  readonly channel: RunChannel;
  readonly #process: HostProcess;
  readonly #parts: HostParts;
  readonly #pulse: Pulse;
  #loaded = false;
  #ending = false;
  #spent = false;

  constructor(process: HostProcess, memoryLimitMb: number, parts: HostParts) {
    this.#process = process;
    this.#parts = parts;
    this.memoryLimitMb = memoryLimitMb;
    this.idleSince = parts.clock.monotonic();
    this.memory = new HostMemory(process.pid);
    this.cpu = new CpuWatch(process.pid, parts);
    this.#pulse = new Pulse({
      clock: parts.clock,
      ping: () => this.#tell(FrameKind.Ping),
      report: (seal) => process.report(seal),
      unseal: () => this.#tell(FrameKind.Unseal),
    });
    const { runs } = this;
    this.channel = new RunChannel({ ...parts, process, pulse: this.#pulse, runs, owner: this });
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

  load(version: IsolateVersion, bundle: Bytes, settings: { revision: string } & EnvUpdate): void {
    this.version = version;
    this.state = "serving";
    this.channel.load(version, bundle, settings);
  }

  endRun(run: Run): void {
    if (!this.runs.delete(run.id)) return;
    // A run may begin and end between two looks of the watch.
    this.memory.read(this.#parts.clock.monotonic());
    run.peakMemoryMb = Math.max(run.peakMemoryMb, this.memory.usedMb);
    if (run.cpuMs === 0 && run.cpuSeenMs !== null) run.cpuMs = (usedCpuMs(this.pid) ?? 0) - run.cpuSeenMs;
    run.end();
    if (this.runs.size === 0) this.#emptied();
    this.#parts.onRoom(this);
  }

  #emptied(): void {
    this.idleSince = this.#parts.clock.monotonic();
    if (this.state === "retiring") this.#process.kill();
  }

  onLoaded(): void {
    this.#loaded = true;
    this.cpu.loaded();
  }

  onPong(): void {
    this.#pulse.pong();
    this.#parts.onRoom(this);
  }

  /** The module threw while it loaded, or something ended the worker: every run here has the same fate. */
  onLoadFailed(error: ReportedError): void {
    this.failed = true;
    for (const run of [...this.runs.values()]) {
      run.answer({ kind: "boot_failed", error });
      this.endRun(run);
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
    this.cpu.look(now, { begun: this.channel.sent, open: this.runs.size });
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
      this.endRun(run);
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
      this.endRun(run);
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
      if (run.answered) this.endRun(run);
      else if (this.runs.delete(run.id)) replay.push(run);
    }
    if (replay.length > 0) this.#parts.onReplay(replay);
    if (this.runs.size === 0) this.#emptied();
  }

  onDeath({ signal, code, lastWords }: HostDeath): void {
    if (this.state === "serving") this.failed = true;
    this.state = "gone";
    this.memory[Symbol.dispose]();
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
      this.endRun(run);
    }
    this.#parts.onGone(this);
  }

  kill(): void {
    this.#process.kill();
  }
}
