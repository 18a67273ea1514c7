// A look at one host from outside: the time of its runs, its memory, its silence, its CPU time. A breach is noticed within
// the time between two looks.

import type { Host } from "./host.ts";
import { usedCpuMs } from "./process_usage.ts";

/** How often hosts are looked at. */
export const watchEveryMs = 50;

export function watchHost(host: Host, now: number, { idleMs }: { idleMs: number }): void {
  if (host.runs.size > 0) watchBusy(host, now);
  else if (host.state === "serving") watchIdle(host, now, idleMs);
}

function watchBusy(host: Host, now: number): void {
  host.memory.read(now);
  const used = host.memory.usedMb;
  let cpuMs: number | null | undefined;
  for (const run of host.runs.values()) {
    run.watchClient();
    run.cpuSeenMs ??= cpuMs ??= usedCpuMs(host.pid);
    if (used > run.peakMemoryMb) run.peakMemoryMb = used;
    if (run.dueAt <= now) host.overdue(run, now);
  }
  if (host.state === "gone") return;
  if (used > host.memoryLimitMb) {
    void host.breachAll("memory", host.memoryLimitMb, Math.round(used));
  } else {
    host.watchPulse(now);
    host.watchCpu(now);
  }
}

function watchIdle(host: Host, now: number, idleMs: number): void {
  if (now - host.idleSince > idleMs || !host.responsive(now)) host.retire();
  else host.watchCpu(now);
}
