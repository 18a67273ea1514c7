// What the operator sees of an attack: the log's row of the call, and the function's process from outside.

import { type Attack, memoryLimitMb } from "./attack.ts";
import { isFiltered } from "./process_watch.ts";
import type { World } from "./world.ts";

/** The call's row in the log, as far as it is looked at. */
interface LogRow {
  readonly id: string;
  readonly statusCode: number;
  readonly error: string | null;
  readonly cpuMs: number;
  readonly memoryUsed: number;
  readonly consoleLogs: readonly { readonly message: string }[];
}

export interface OperatorView {
  /** What must not be. */
  readonly faults: string[];
  /** When the process ended, by `performance.now()`, where it had to end. */
  readonly goneAt: number | null;
  /** The most that the process held beyond what an idle one holds. */
  readonly memoryMib: number | null;
}

/** Beyond its limit, a function may hold this much for the moment until it is ended. */
const memorySlackMib = 64;

/** Characters of console lines in one row of the log. */
const mostLogged = 1024 * 1024;

const unfiltered =
  "the kernel filters no system calls of the function's process: run the platform on Linux with seccomp, " +
  "and let the network itself refuse private IPv6 addresses";

/** Looks at the call `id`, which was answered `status`; deletes the function to see that nothing of it is left. */
export async function operatorView(
  world: World,
  attack: Attack,
  { app, id, status }: { app: string; id: string; status: number },
): Promise<OperatorView> {
  const { platform, processes } = world;
  const row = await rowOf(world, app, id);
  const faults = rowFaults(attack, row, status);
  const pid = Number(/^process (\d+)$/.exec(row.consoleLogs[0]?.message ?? "")?.[1]);
  if (Number.isNaN(pid)) faults.push("the log has lost the function's first line");
  if (attack.kind === "reach" && attack.filtered === true && !isFiltered(pid)) faults.push(unfiltered);

  const ends = attack.kind === "spend" && attack.operator.process === "gone" && processes.sees;
  const goneAt = ends ? await processes.gone(pid) : null;
  if (ends && goneAt === null) faults.push(`the process ${pid} of the function still runs`);
  await (await platform.request("DELETE", `/v1/${app}/functions/attack`)).body?.cancel();
  if (processes.sees && await processes.gone(pid) === null) {
    faults.push(`the process ${pid} outlives its function`);
  }

  const memoryMib = processes.sees ? (processes.peakMib(pid) ?? NaN) - world.idleMib : null;
  const limit = (attack.kind === "spend" ? attack.deploy?.memoryLimitMb : undefined) ?? memoryLimitMb;
  // Written so that a process that was never seen is a fault too.
  if (memoryMib !== null && !(memoryMib <= limit + memorySlackMib)) {
    faults.push(`the process held ${memoryMib.toFixed(0)} MiB more than an idle one, with ${limit} allowed`);
  }
  const ready = await platform.request("GET", "/health/ready", { key: null });
  await ready.body?.cancel();
  if (ready.status !== 200) faults.push(`the server says of its health: ${ready.status}`);
  return { faults, goneAt, memoryMib };
}

/** @throws when the log has no such row after a while. */
async function rowOf({ platform }: World, app: string, id: string): Promise<LogRow> {
  for (const end = performance.now() + 10_000; performance.now() < end;) {
    const row = (await platform.logs(app, "attack")).find((line) => line.id === id);
    if (row !== undefined) return row;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`The log has no row of the call ${id}`);
}

function rowFaults(attack: Attack, row: LogRow, status: number): string[] {
  const faults: string[] = [];
  const { error, used = {} } = attack.kind === "spend" ? attack.operator : { error: null };
  if (row.statusCode !== status) faults.push(`the log says status ${row.statusCode}`);
  if (error === null ? row.error !== null : !error.test(row.error ?? "")) {
    faults.push(`the log says of the error: ${row.error}`);
  }
  for (const what of ["cpuMs", "memoryUsed"] as const) {
    if (!(row[what] >= (used[what] ?? 0))) {
      faults.push(`the log says that the call's ${what} is ${row[what]}`);
    }
  }
  const kept = row.consoleLogs.reduce((sum, { message }) => sum + message.length, 0);
  if (kept > mostLogged) faults.push(`the log keeps ${kept} characters of one call's lines`);
  return faults;
}
