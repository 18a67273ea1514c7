// Keeps isolate hosts for the versions that are called, within the node's limits, and watches them from outside: time,
// memory, silence. OPEN → CLOSED.

import type { Clock } from "../core/clock.ts";
import type { Outcome } from "../core/invocation.ts";
import type { Logger } from "../core/log.ts";
import { limitData } from "./data_limit.ts";
import type { EgressRules } from "./egress.ts";
import { Host } from "./host.ts";
import { HostProcess } from "./host_process.ts";
import type { IsolateVersion, Job } from "./job.ts";
import { type Frame, FrameKind } from "./protocol/frames.ts";
import { residentBytes, usedCpuMs } from "./process_usage.ts";
import { Run } from "./run.ts";
import { VersionHosts } from "./version_hosts.ts";
import { WarmPool } from "./warm_pool.ts";

export interface IsolateLimits {
  warmHosts: number;
  maxHosts: number;
  maxHostsPerVersion: number;
  /** Invocations at once in one host. */
  concurrency: number;
  queueLength: number;
  idleMs: number;
  streamIdleMs: number;
  streamMaxMs: number;
  waitUntilMs: number;
}

export interface SupervisorParts {
  limits: IsolateLimits;
  egress: EgressRules;
  clock: Clock;
  log: Logger;
  /** Folder for sockets, readable by nobody else; its path must be short. */
  socketDir: string;
  /** Cache folder of the hosts' own Deno. */
  denoDir: string;
  execPath?: string;
}

/** How often hosts are looked at; a breach is noticed within this time. */
const watchEveryMs = 50;
const defaultMemoryMb = 128;
const startTimeoutMs = 15_000;

export class Supervisor implements AsyncDisposable {
  readonly #parts: SupervisorParts;
  readonly #groups = new Map<string, VersionHosts>();
  readonly #hosts = new Set<Host>();
  readonly #pool: WarmPool;
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #starting = new Set<Promise<Host>>();
  #closed = false;
  #coldStarts = 0;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#pool = new WarmPool({
      size: parts.limits.warmHosts,
      start: (memoryLimitMb) => this.#startHost(memoryLimitMb),
      onFailure: (error) => parts.log.error("An isolate host could not be started", { error }),
    });
    this.#watch = setInterval(() => this.#look(), watchEveryMs);
  }

  /** Starts the hosts that stand warm. */
  warmUp(): void {
    this.#pool.refill(defaultMemoryMb);
  }

  /** Runs the job; every ending is an outcome, never a rejection. */
  run(job: Job): Promise<Outcome> {
    const run = new Run(job, this.#parts.limits);
    if (this.#closed) {
      run.answer({ kind: "stopped", reason: "crashed", limit: null, used: null });
      run.end();
    } else this.#group(job.version).run(run);
    return run.outcome;
  }

  /** The version is live no longer: its hosts finish what they have and end. */
  retire(versionId: string): void {
    for (const host of this.#groups.get(versionId)?.hosts ?? []) host.retire();
  }

  /** Ends everything that the app's functions run, at once. */
  async stopApp(appId: string, reason: "paused" | "cancelled"): Promise<void> {
    const groups = [...this.#groups.values()].filter((group) => group.version.appId === appId);
    for (const group of groups) group.stopWaiting(reason);
    const hosts = groups.flatMap((group) => [...group.hosts]);
    await Promise.all(hosts.map((host) => host.breachAll(reason, null, null)));
  }

  stats(): {
    hosts: number;
    warm: number;
    versions: number;
    running: number;
    waiting: number;
    coldStarts: number;
  } {
    const groups = [...this.#groups.values()];
    return {
      hosts: this.#hosts.size,
      warm: this.#pool.count,
      versions: groups.filter((group) => group.hosts.size > 0).length,
      running: [...this.#hosts].reduce((sum, host) => sum + host.runs.size, 0),
      waiting: groups.reduce((sum, group) => sum + group.waiting, 0),
      coldStarts: this.#coldStarts,
    };
  }

  /** Process ids of all hosts, for operators and tests. */
  pids(): number[] {
    return [...this.#hosts].map((host) => host.pid);
  }

  #group(version: IsolateVersion): VersionHosts {
    const known = this.#groups.get(version.id);
    if (known !== undefined) return known;
    const { maxHostsPerVersion, concurrency, queueLength } = this.#parts.limits;
    const group = new VersionHosts({
      version,
      maxHosts: maxHostsPerVersion,
      concurrency,
      queueLength,
      now: () => this.#parts.clock.monotonic(),
      startHost: (which) => this.#serve(which),
    });
    this.#groups.set(version.id, group);
    return group;
  }

  async #serve(group: VersionHosts): Promise<void> {
    try {
      if (!this.#makeRoom()) {
        const full = `This node runs ${this.#hosts.size} isolates: BUTTERBASE_MAX_HOSTS allows no more`;
        return group.fail(full, "full");
      }
      this.#coldStarts++;
      const { version } = group;
      const [host, bundle] = await Promise.all([this.#pool.take(version.memoryLimitMb), version.bundle()]);
      const { next } = group;
      if (next === undefined || this.#closed) return host.retire();
      host.load(version, bundle, next.job.settings());
      group.hosts.add(host);
    } catch (error) {
      this.#parts.log.error("A function got no isolate", { error, version: group.version.id });
      group.fail("The function's isolate could not be started", "broken");
    }
  }

  /** Whether one more host may be started; the host that was idle longest makes room for it. */
  #makeRoom(): boolean {
    if (this.#hosts.size < this.#parts.limits.maxHosts + this.#pool.count) return true;
    const idle = [...this.#hosts].filter((host) => host.state === "serving" && host.runs.size === 0);
    idle.sort((a, b) => a.idleSince - b.idleSince);
    idle[0]?.retire();
    return idle.length > 0;
  }

  /** A start that is under way when the supervisor closes is waited for, and its host ended. */
  async #startHost(memoryLimitMb: number): Promise<Host> {
    const starting = this.#bringUp(memoryLimitMb);
    this.#starting.add(starting);
    try {
      const host = await starting;
      if (!this.#closed) return host;
      host.kill();
      throw new Error("The server is stopping");
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #bringUp(memoryLimitMb: number): Promise<Host> {
    const { execPath = Deno.execPath(), denoDir, socketDir, clock, limits } = this.#parts;
    // deno-lint-ignore prefer-const -- frames may come before the host is made.
    let host: Host | undefined;
    const ready = Promise.withResolvers<void>();
    const process = await HostProcess.start({
      memoryLimitMb,
      egress: this.#parts.egress,
      denoDir,
      socketDir,
      execPath,
      onFrame: (frame: Frame) => frame.kind === FrameKind.Started ? ready.resolve() : host?.onFrame(frame),
      onGone: (death) => {
        ready.reject(new Error(`An isolate host ended while it started: ${death.lastWords}`));
        host?.onDeath(death);
      },
    });
    host = new Host(process, memoryLimitMb, {
      clock,
      waitUntilMs: limits.waitUntilMs,
      onReplay: (runs) => runs[0] && this.#group(runs[0].job.version).replay(runs),
      onRoom: (which) => which.version && this.#groups.get(which.version.id)?.serve(),
      onGone: (which) => this.#gone(which),
    });
    this.#hosts.add(host);
    const timer = setTimeout(() => process.kill(), startTimeoutMs);
    try {
      await ready.promise;
    } catch (error) {
      this.#hosts.delete(host);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    await limitData(host.pid, memoryLimitMb, this.#parts.log);
    host.emptyBytes = host.residentBytes = residentBytes(host.pid) ?? 0;
    return host;
  }

  #gone(host: Host): void {
    this.#hosts.delete(host);
    this.#pool.remove(host);
    const group = host.version && this.#groups.get(host.version.id);
    if (!group) return;
    group.hosts.delete(host);
    group.serve();
    if (group.unused) this.#groups.delete(group.version.id);
  }

  #look(): void {
    const now = this.#parts.clock.monotonic();
    for (const host of this.#hosts) {
      if (host.runs.size > 0) this.#lookAtBusy(host, now);
      else if (host.state === "serving" && now - host.idleSince > this.#parts.limits.idleMs) host.retire();
    }
    for (const group of this.#groups.values()) {
      group.overdue(now);
      if (group.waiting > 0) group.serve();
      else if (group.unused) this.#groups.delete(group.version.id);
    }
  }

  #lookAtBusy(host: Host, now: number): void {
    host.readMemory(now);
    const used = host.usedMb;
    for (const run of host.runs.values()) {
      run.watchClient();
      run.cpuSeenMs ??= usedCpuMs(host.pid);
      if (used > run.peakMemoryMb) run.peakMemoryMb = used;
      if (run.dueAt <= now) host.overdue(run, now);
    }
    if (used > host.memoryLimitMb && host.state !== "gone") {
      void host.breachAll("memory", host.memoryLimitMb, Math.round(used));
    } else if (host.state === "serving") host.ping(now);
  }

  /** Ends every host; runs that are under way are stopped. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#pool.close();
    await Promise.allSettled(this.#starting);
    for (const host of this.#hosts) host.kill();
    while (this.#hosts.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
