// What a host uses of the machine's CPUs, as the kernel counts it, against two budgets: the operator's, which ends it, and
// a fair one, beyond which it stands behind all other processes. Without privilege nothing raises it again.

import { CpuBudget } from "./cpu_budget.ts";
import { lowerPriority } from "./libc.ts";
import { usedCpuMs } from "./process_usage.ts";

const lookEveryMs = { open: 100, idle: 1000 };
/** What a host may use while others wait for a CPU too. */
const fair = { cpuMs: 100, keptSeconds: 1 };
/** Importing a large bundle takes this once. */
const fairWhileLoading = { cpuMs: 100, keptSeconds: 10 };
/** A host that stands behind others is calm once it has kept within its fair share for so long. */
export const calmAfterMs = 10_000;
/** A tenth of what others get of a CPU that all want: last in line, a host's calls would starve on a busy machine. */
const behind = 10;
/** Code that goes on after its calls may use so much until the next one begins. */
const idleCpuMs = 500;

export class CpuWatch {
  /** When it last used more than its fair share; monotonic ms. */
  unfairAt = -Infinity;
  readonly #pid: number;
  readonly #cpuMs: number;
  #allowed: CpuBudget | null = null;
  #fair = new CpuBudget(fairWhileLoading.cpuMs, fairWhileLoading);
  #state: "loading" | "loaded" = "loading";
  #usedMs = 0;
  #idleUsedMs = 0;
  #begun = 0;
  #wasOpen = 0;
  #lookedAt = -Infinity;
  /** Since when it stands behind all other processes. */
  #loweredAt = Infinity;
  #slowToLoad = false;

  /** `cpuMs`: what a host may use for each second of an open run; 0 is no limit. */
  constructor(pid: number, { cpuMs }: { cpuMs: number }) {
    this.#pid = pid;
    this.#cpuMs = cpuMs;
  }

  /** What the bundle's import took is forgotten: the budgets are for its runs. */
  loaded(): void {
    this.#state = "loaded";
    this.#usedMs = usedCpuMs(this.#pid) ?? this.#usedMs;
    this.#fair = new CpuBudget(fair.cpuMs, fair);
    if (this.#cpuMs > 0) this.#allowed = new CpuBudget(this.#cpuMs, { keptSeconds: 5 });
  }

  look(now: number, { begun, open }: { begun: number; open: number }): void {
    const elapsedMs = now - this.#lookedAt;
    if (elapsedMs < lookEveryMs[open > 0 ? "open" : "idle"]) return;
    this.#lookedAt = now;
    const total = usedCpuMs(this.#pid) ?? this.#usedMs;
    const usedMs = total - this.#usedMs;
    const began = begun - this.#begun;
    this.#idleUsedMs = open + began + this.#wasOpen > 0 ? 0 : this.#idleUsedMs + usedMs;
    // After a long pause none was open for most of it.
    const seconds = Math.min(elapsedMs, 2 * lookEveryMs.open) / 1000;
    for (const budget of [this.#fair, this.#allowed]) budget?.spend(usedMs, { began, open, seconds });
    this.#usedMs = total;
    this.#begun = begun;
    this.#wasOpen = open;
    if (!this.#fair.overdrawn) return;
    this.unfairAt = now;
    this.#slowToLoad ||= this.#state === "loading";
    this.lower(now);
  }

  lower(now: number): void {
    if (this.#loweredAt !== Infinity) return;
    this.#loweredAt = now;
    lowerPriority(this.#pid, behind);
  }

  /** The operator's limit and what was used, in ms per second, once that is more. */
  get breach(): { limit: number; used: number } | null {
    return this.#allowed?.overdrawn ? { limit: this.#cpuMs, used: this.#allowed.usedPerSecond } : null;
  }

  /** Code of calls that are over works on, for nobody. */
  get worksIdle(): boolean {
    return this.#idleUsedMs > idleCpuMs;
  }

  /** It stands behind others and has long been calm: what it serves deserves a new process. */
  calmAgain(now: number): boolean {
    // One that took long to load would be there again with each new process.
    return !this.#slowToLoad && now - Math.max(this.unfairAt, this.#loweredAt) > calmAfterMs;
  }
}
