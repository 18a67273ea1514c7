// What is seen of the isolate hosts from outside, by the kernel's count: the most memory that each held, and when it ended.

import { existsSync, readdirSync, readFileSync } from "node:fs";

export interface ProcessWatch extends Disposable {
  /** Without /proc nothing is seen of any process. */
  readonly sees: boolean;
  /** The most that the process ever held, in MiB; `null` if it was never seen. */
  peakMib(pid: number): number | null;
  /** When it had given all of its memory back, by `performance.now()`; `null` if it has not within `patienceMs`. */
  gone(pid: number, patienceMs?: number): Promise<number | null>;
}

const lookEveryMs = 5;

/** Watches every process that `pids` ever names. */
export function watchProcesses(pids: () => number[]): ProcessWatch {
  const peaks = new Map<number, number>();
  const living = new Set<number>();
  const ended = new Map<number, number>();
  function look(): void {
    for (const pid of pids()) if (!ended.has(pid)) living.add(pid);
    for (const pid of living) {
      const peak = peakNow(pid);
      if (peak !== null) {
        peaks.set(pid, peak);
      } else {
        living.delete(pid);
        ended.set(pid, performance.now());
      }
    }
  }
  const timer = setInterval(look, lookEveryMs);
  return {
    sees: existsSync("/proc/self/status"),
    peakMib: (pid) => peaks.get(pid) ?? null,
    async gone(pid, patienceMs = 10_000) {
      for (const end = performance.now() + patienceMs; performance.now() < end;) {
        const at = ended.get(pid);
        if (at !== undefined) return at;
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      }
      return null;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** A process that has ended and was not yet waited for has no such line. */
function peakNow(pid: number): number | null {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
    return line === null ? null : Number(line[1]) / 1024;
  } catch {
    return null;
  }
}

/** Whether the kernel filters the system calls of every thread of the process. */
export function isFiltered(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) =>
      /^Seccomp:\s+2$/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"))
    );
  } catch {
    return false;
  }
}
