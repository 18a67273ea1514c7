// The hosts of one live version, and the runs that wait for one. A run goes to the least busy host that answers; when
// none has room another host is started, up to the limit; beyond the queue's length a run is refused.

import { calmAfterMs } from "./cpu_watch.ts";
import type { Host } from "./host.ts";
import type { IsolateVersion } from "./job.ts";
import { RestartBackoff } from "./restart_backoff.ts";
import type { Run } from "./run.ts";

export interface VersionHostsParts {
  version: IsolateVersion;
  /** Whose place this one takes: what is held against the version stays. */
  former?: VersionHosts;
  maxHosts: number;
  concurrency: number;
  queueLength: number;
  now(): number;
  /** Starts a host and loads the version for the first waiting run; rejects when there can be none. */
  startHost(group: VersionHosts): Promise<void>;
}

export class VersionHosts {
  readonly version: IsolateVersion;
  readonly hosts = new Set<Host>();
  readonly restarts: RestartBackoff;
  /** When a host of it last used more of the CPUs than its fair share; monotonic ms. */
  unfairAt: number;
  readonly #parts: VersionHostsParts;
  #waiting: Run[] = [];
  #starting = 0;
  #failed = false;

  constructor(parts: VersionHostsParts) {
    this.#parts = parts;
    this.version = parts.version;
    this.restarts = parts.former?.restarts ?? new RestartBackoff();
    this.unfairAt = parts.former?.unfairAt ?? -Infinity;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get unused(): boolean {
    const now = this.#parts.now();
    return this.hosts.size === 0 && this.#starting === 0 && this.#waiting.length === 0 &&
      now - this.unfairAt > calmAfterMs && this.restarts.calm(now);
  }

  /** The first run that waits: its settings are what a new host is loaded with. */
  get next(): Run | undefined {
    return this.#waiting[0];
  }

  run(run: Run): void {
    const host = this.#waiting.length === 0 ? this.#choose() : undefined;
    if (host !== undefined) return host.channel.send(run);
    if (this.#waiting.length >= this.#parts.queueLength + this.#starting * this.#parts.concurrency) {
      run.answer({ kind: "overloaded", waiting: this.#waiting.length, limit: this.#parts.queueLength });
      return run.end();
    }
    run.dueAt = this.#parts.now() + run.job.timeoutMs;
    run.onClientGone(() => this.#leave(run));
    run.watchClient();
    if (run.ended) return;
    this.#waiting.push(run);
    this.#grow();
  }

  /** Runs that a dying host never began go to the head of the queue. */
  replay(runs: readonly Run[]): void {
    this.#waiting.unshift(...runs);
    for (const run of runs) run.onClientGone(() => this.#leave(run));
    this.#grow();
    this.serve();
  }

  /** Gives waiting runs to hosts with room, and has another host started for the rest. */
  serve(): void {
    this.#give();
    if (this.#waiting.length > 0) this.#grow();
  }

  #give(): void {
    while (this.#waiting.length > 0) {
      const host = this.#choose();
      if (host === undefined) return;
      host.channel.send(this.#waiting.shift() as Run);
    }
  }

  /** Runs whose time is over although they never began. */
  overdue(now: number): void {
    const late = this.#waiting.filter((run) => run.dueAt <= now);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter((run) => run.dueAt > now);
    for (const run of late) {
      run.answer({ kind: "overloaded", waiting: this.#waiting.length, limit: this.#parts.queueLength });
      run.end();
    }
  }

  /** No host could be started: what waits goes on waiting for those there are, and without any cannot be served. */
  fail(message: string, why: "full" | "broken"): void {
    this.#failed = true;
    if ([...this.hosts].some(({ state }) => state === "serving")) return;
    const { length: waiting } = this.#waiting;
    for (const run of this.#waiting.splice(0)) {
      run.answer(
        why === "full"
          ? { kind: "overloaded", waiting, limit: this.#parts.queueLength }
          : { kind: "stopped", reason: "crashed", limit: null, used: null },
      );
      run.print({ level: "error", message, timestamp: Date.now() });
      run.end();
    }
  }

  /** Another takes this one's place: its hosts finish what they have, and what waits is handed over. */
  supersede(): Run[] {
    for (const host of this.hosts) host.retire();
    return this.#waiting.splice(0);
  }

  /** What waits is not to run any more. */
  stopWaiting(reason: "paused" | "cancelled"): void {
    for (const run of this.#waiting.splice(0)) {
      run.stop(reason, { limit: null, used: null });
      run.end();
    }
  }

  #leave(run: Run): void {
    const at = this.#waiting.indexOf(run);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    run.stop("cancelled", { limit: null, used: null });
    run.end();
  }

  #choose(): Host | undefined {
    let best: Host | undefined;
    const now = this.#parts.now();
    for (const host of this.hosts) {
      if (host.state !== "serving" || host.runs.size >= this.#parts.concurrency || !host.responsive(now)) {
        continue;
      }
      if (best === undefined || host.runs.size < best.runs.size) best = host;
    }
    return best;
  }

  #grow(): void {
    // The supervisor looks again soon.
    if (!this.restarts.allows(this.#parts.now())) return;
    const serving = [...this.hosts].filter((host) => host.state === "serving").length;
    const wanted = Math.ceil(this.#waiting.length / this.#parts.concurrency);
    for (
      let started = this.#starting;
      started < wanted && serving + this.#starting < this.#parts.maxHosts;
      started++
    ) {
      this.#starting++;
      void this.#parts.startHost(this).finally(() => {
        this.#starting--;
        // After a failure the next look of the supervisor tries again; at once would be for ever.
        if (this.#failed) this.#give();
        else this.serve();
        this.#failed = false;
      });
    }
  }
}
