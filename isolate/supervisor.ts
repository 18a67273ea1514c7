// Keeps isolate hosts for the versions that are called, within the node's limits, and watches them from outside: time,
// memory, silence. OPEN → CLOSED.

import type { Clock } from "../core/clock.ts";
import { type AppEgress, openEgress } from "../core/egress/app_egress.ts";
import type { EgressRules } from "../core/egress/judge.ts";
import type { Outcome } from "../core/invocation.ts";
import type { Logger } from "../core/log.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import { calmAfterMs } from "./cpu_watch.ts";
import { Host } from "./host.ts";
import { HostProcess } from "./host_process.ts";
import type { IsolateVersion, Job } from "./job.ts";
import { decodeJson, type Frame, FrameKind } from "./protocol/frames.ts";
import type { StartedMessage } from "./protocol/messages.ts";
import { usedCpuMs } from "./process_usage.ts";
import { Run } from "./run.ts";
import { VersionHosts } from "./version_hosts.ts";
import { type HostKind, WarmPool } from "./warm_pool.ts";

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
  quotas: QuotaLimits;
  /** CPU ms that a host may use for each second of an open run; 0 is no limit. */
  cpuMs: number;
}

export interface SupervisorParts {
  limits: IsolateLimits;
  /** What every function may reach, until `setEgress` changes it. */
  egress: EgressRules;
  /** Whether functions may use IPv6, whose ranges cannot be refused. */
  ipv6: boolean;
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
  #egress: EgressRules;
  /** What the kernel does not hold here, as hosts said. */
  readonly #missing = new Set<string>();
  #closed = false;
  #coldStarts = 0;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#egress = parts.egress;
    this.#pool = new WarmPool({
      size: parts.limits.warmHosts,
      start: (kind) => this.#startHost(kind),
      onFailure: (error) => parts.log.error("An isolate host could not be started", { error }),
    });
    this.#watch = setInterval(() => this.#look(), watchEveryMs);
  }

  /** Starts the hosts that stand warm. */
  warmUp(): void {
    this.#pool.refill({ memoryLimitMb: defaultMemoryMb, egress: openEgress });
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
    const hosts = [...this.#hosts].filter((host) => host.version?.appId === appId);
    await Promise.all(hosts.map((host) => host.breachAll(reason, null, null)));
  }

  /** From now on functions may reach what these rules say: hosts with others finish what they have, and end. */
  setEgress(rules: EgressRules): void {
    this.#egress = rules;
    this.#pool.clear();
    for (const group of [...this.#groups.values()]) this.#supersede(group, group.version);
    this.warmUp();
  }

  /** The app's functions may reach this from now on; hosts that were started with something else end likewise. */
  setAppEgress(appId: string, egress: AppEgress): void {
    for (const group of [...this.#groups.values()]) {
      const { version } = group;
      if (version.appId === appId && version.egress.key !== egress.key) {
        this.#supersede(group, { ...version, egress });
      }
    }
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

  /** The apps whose functions have hosts or wait for them. */
  appIds(): string[] {
    return [...new Set([...this.#groups.values()].map(({ version }) => version.appId))];
  }

  /** Process ids of all hosts, for operators and tests. */
  pids(): number[] {
    return [...this.#hosts].map((host) => host.pid);
  }

  #group(version: IsolateVersion): VersionHosts {
    const known = this.#groups.get(version.id);
    if (known === undefined) return this.#open(version);
    return known.version.egress.key === version.egress.key ? known : this.#supersede(known, version);
  }

  /** Hosts cannot be told of another egress: the version goes on with new ones. */
  #supersede(group: VersionHosts, version: IsolateVersion): VersionHosts {
    const next = this.#open(version, group);
    next.replay(group.supersede());
    return next;
  }

  #open(version: IsolateVersion, former?: VersionHosts): VersionHosts {
    const { maxHostsPerVersion, concurrency, queueLength } = this.#parts.limits;
    const group = new VersionHosts({
      version,
      ...(former === undefined ? {} : { former }),
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
      const [host, bundle] = await Promise.all([this.#pool.take(version), version.bundle()]);
      const { next } = group;
      if (next === undefined || this.#closed) return host.retire();
      host.load(version, bundle, next.job.settings());
      // A version whose last host took more than its share gets none in front of others.
      const now = this.#parts.clock.monotonic();
      if (now - group.unfairAt < calmAfterMs) host.cpu.lower(now);
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
  async #startHost(kind: HostKind): Promise<Host> {
    const rules = this.#egress;
    const starting = this.#bringUp(kind);
    this.#starting.add(starting);
    try {
      const host = await starting;
      if (!this.#closed && rules === this.#egress) return host;
      host.kill();
      if (!this.#closed) return this.#startHost(kind);
      throw new Error("The server is stopping");
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #bringUp({ memoryLimitMb, egress: app }: HostKind): Promise<Host> {
    const { execPath = Deno.execPath(), denoDir, socketDir, clock, limits } = this.#parts;
    // deno-lint-ignore prefer-const -- frames may come before the host is made.
    let host: Host | undefined;
    const ready = Promise.withResolvers<StartedMessage>();
    const process = await HostProcess.start({
      memoryLimitMb,
      egress: { ...this.#egress, app },
      ipv6: this.#parts.ipv6,
      denoDir,
      socketDir,
      execPath,
      onFrame: (frame: Frame) =>
        frame.kind === FrameKind.Started ? ready.resolve(decodeJson(frame.payload)) : host?.onFrame(frame),
      onGone: (death) => {
        ready.reject(new Error(`An isolate host ended while it started: ${death.lastWords}`));
        host?.onDeath(death);
      },
    });
    host = new Host(process, memoryLimitMb, {
      clock,
      waitUntilMs: limits.waitUntilMs,
      quotas: limits.quotas,
      cpuMs: limits.cpuMs,
      onReplay: (runs) => runs[0] && this.#replay(runs[0].job.version, runs),
      onRoom: (which) => which.version && this.#groups.get(which.version.id)?.serve(),
      onGone: (which) => this.#gone(which),
    });
    this.#hosts.add(host);
    const timer = setTimeout(() => process.kill(), startTimeoutMs);
    try {
      this.#noteMissing(await ready.promise);
    } catch (error) {
      this.#hosts.delete(host);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    host.measureEmpty();
    return host;
  }

  /** By the hosts that the version has now, whatever it had when the runs came. */
  #replay(version: IsolateVersion, runs: Run[]): void {
    (this.#groups.get(version.id) ?? this.#open(version)).replay(runs);
  }

  /** Said once for each guarantee: it is the machine's lack, and every host has the same. */
  #noteMissing({ missing }: StartedMessage): void {
    for (const what of missing.filter((each) => !this.#missing.has(each))) {
      this.#missing.add(what);
      this.#parts.log.warn("An isolate host is not confined as it should be on this machine", { what });
    }
  }

  #gone(host: Host): void {
    this.#hosts.delete(host);
    this.#pool.remove(host);
    const group = host.version && this.#groups.get(host.version.id);
    if (!group) return;
    group.hosts.delete(host);
    if (host.failed) group.restarts.ended(this.#parts.clock.monotonic());
    group.serve();
    if (group.unused) this.#groups.delete(group.version.id);
  }

  #look(): void {
    const now = this.#parts.clock.monotonic();
    for (const host of this.#hosts) {
      if (host.runs.size > 0) this.#lookAtBusy(host, now);
      else if (host.state === "serving") this.#lookAtIdle(host, now);
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
    let cpuMs: number | null | undefined;
    for (const run of host.runs.values()) {
      run.watchClient();
      run.cpuSeenMs ??= cpuMs ??= usedCpuMs(host.pid);
      if (used > run.peakMemoryMb) run.peakMemoryMb = used;
      if (run.dueAt <= now) host.overdue(run, now);
    }
    if (used > host.memoryLimitMb && host.state !== "gone") {
      void host.breachAll("memory", host.memoryLimitMb, Math.round(used));
    } else if (host.state !== "gone") {
      host.watchPulse(now);
      this.#watchCpu(host, now);
    }
  }

  #lookAtIdle(host: Host, now: number): void {
    if (now - host.idleSince > this.#parts.limits.idleMs || !host.responsive(now)) host.retire();
    else this.#watchCpu(host, now);
  }

  #watchCpu(host: Host, now: number): void {
    host.watchCpu(now);
    const group = host.version && this.#groups.get(host.version.id);
    if (group) group.unfairAt = Math.max(group.unfairAt, host.cpu.unfairAt);
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
