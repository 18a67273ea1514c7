// Keeps isolate hosts for the versions that are called, within the node's limits, and watches them from outside: time,
// memory, silence. OPEN → CLOSED.

import type { Clock } from "../core/clock.ts";
import { type AppEgress, openEgress } from "../core/egress/app_egress.ts";
import type { EgressRules } from "../core/egress/judge.ts";
import type { Outcome } from "../core/invocation.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import { calmAfterMs } from "./cpu_watch.ts";
import type { Host, HostParts } from "./host.ts";
import { HostStarter, type HostStarterParts } from "./host_starter.ts";
import { watchEveryMs, watchHost } from "./host_watch.ts";
import type { IsolateVersion, Job } from "./job.ts";
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
  quotas: QuotaLimits;
  /** CPU ms that a host may use for each second of an open run; 0 is no limit. */
  cpuMs: number;
}

export interface SupervisorParts extends HostStarterParts {
  limits: IsolateLimits;
  clock: Clock;
}

const defaultMemoryMb = 128;

export class Supervisor implements AsyncDisposable {
  readonly #parts: SupervisorParts;
  readonly #groups = new Map<string, VersionHosts>();
  readonly #hosts = new Set<Host>();
  readonly #starter: HostStarter;
  readonly #pool: WarmPool;
  readonly #watch: ReturnType<typeof setInterval>;
  #closed = false;
  #coldStarts = 0;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    const { clock, limits: { waitUntilMs, quotas, cpuMs } } = parts;
    const host: HostParts = {
      clock,
      waitUntilMs,
      quotas,
      cpuMs,
      onReplay: (runs) => runs[0] && this.#replay(runs[0].job.version, runs),
      onRoom: (which) => which.version && this.#groups.get(which.version.id)?.serve(),
      onGone: (which) => this.#gone(which),
    };
    this.#starter = new HostStarter(parts, { hosts: this.#hosts, host });
    this.#pool = new WarmPool({
      size: parts.limits.warmHosts,
      start: (kind) => this.#starter.start(kind),
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
    this.#starter.setEgress(rules);
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

  /** By the hosts that the version has now, whatever it had when the runs came. */
  #replay(version: IsolateVersion, runs: Run[]): void {
    (this.#groups.get(version.id) ?? this.#open(version)).replay(runs);
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
      watchHost(host, now, this.#parts.limits);
      const group = host.version && this.#groups.get(host.version.id);
      if (group) group.unfairAt = Math.max(group.unfairAt, host.cpu.unfairAt);
    }
    for (const group of this.#groups.values()) {
      group.overdue(now);
      if (group.waiting > 0) group.serve();
      else if (group.unused) this.#groups.delete(group.version.id);
    }
  }

  /** Ends every host; runs that are under way are stopped. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#pool.close();
    await this.#starter.close();
    for (const host of this.#hosts) host.kill();
    while (this.#hosts.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
