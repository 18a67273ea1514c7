// Reads `postmaster.pid`, in which a running PostgreSQL tells who it is and how far it has come, and ends what a killed
// server left running, so that two never write to one folder.

import { join } from "node:path";
import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";

export interface Postmaster {
  readonly pid: number;
  readonly ready: boolean;
}

export async function readPostmaster(pgdata: string): Promise<Postmaster | undefined> {
  try {
    const lines = (await Deno.readTextFile(join(pgdata, "postmaster.pid"))).split("\n");
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 1 ? { pid, ready: lines[7]?.trim() === "ready" } : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * After this no PostgreSQL runs on `pgdata`. The file of a dead one stays: by it PostgreSQL itself makes sure that no
 * backend still writes to the shared memory of before.
 */
export async function clearOrphan(pgdata: string, log: Logger): Promise<void> {
  const orphan = await readPostmaster(pgdata);
  if (orphan !== undefined && await isPostgresOf(pgdata, orphan.pid)) {
    log.warn("Stopping a PostgreSQL that an earlier server left behind", { pid: orphan.pid });
    await stop(pgdata, orphan.pid);
  }
  // A backend busy in a loop does not notice that its main process is gone.
  for (const pid of await backendsOf(pgdata)) {
    log.warn("Killing a PostgreSQL backend that outlived its main process", { pid });
    signal(pid, "SIGKILL");
  }
  const left = await readPostmaster(pgdata);
  if (left !== undefined) await disown(pgdata);
}

/** Puts an id that no process can have in place of one that another program may have by now. */
async function disown(pgdata: string): Promise<void> {
  const file = join(pgdata, "postmaster.pid");
  const lines = (await Deno.readTextFile(file)).split("\n");
  await Deno.writeTextFile(file, [String(2 ** 30 - 1), ...lines.slice(1)].join("\n"));
}

async function backendsOf(pgdata: string): Promise<number[]> {
  if (Deno.build.os !== "linux") return [];
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    const pid = Number(name);
    if (pid > 1 && await isWorkingIn(pgdata, pid) && await isNamedPostgres(pid)) found.push(pid);
  }
  return found;
}

function signal(pid: number, name: Deno.Signal): "sent" | "gone" {
  try {
    Deno.kill(pid, name);
    return "sent";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "gone";
    throw error;
  }
}

/** SIGINT ends its sessions and shuts down in order; SIGQUIT, when that takes too long, leaves recovery to the next start. */
async function stop(pgdata: string, pid: number): Promise<void> {
  for (const [name, patienceMs] of [["SIGINT", 20_000], ["SIGQUIT", 5_000], ["SIGKILL", 5_000]] as const) {
    if (signal(pid, name) === "gone") return;
    const until = performance.now() + patienceMs;
    while (performance.now() < until) {
      if (!await isPostgresOf(pgdata, pid)) return;
      await new Promise((done) => setTimeout(done, 20));
    }
  }
  throw new AppError(
    "EXTERNAL_DB_ERROR",
    `Cannot stop the PostgreSQL of "${pgdata}": process ${pid} goes on running`,
  );
}

/** Process ids are used again, so what runs under this one must be a PostgreSQL that works in that folder. */
export async function isPostgresOf(pgdata: string, pid: number): Promise<boolean> {
  if (Deno.build.os === "linux") return await isWorkingIn(pgdata, pid) && await isNamedPostgres(pid);
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "command=", "-p", String(pid)] }).output();
  const command = new TextDecoder().decode(stdout);
  return /^\S*postgres /.test(command) && command.includes(` -D ${pgdata} `);
}

/** PostgreSQL's processes work in the data folder, and the link follows the folder when it is moved. */
async function isWorkingIn(folder: string, pid: number): Promise<boolean> {
  return await Deno.readLink(`/proc/${pid}/cwd`).catch(() => "") === folder;
}

/** Backends change their command line to `postgres: …`; the program's file stays. */
async function isNamedPostgres(pid: number): Promise<boolean> {
  return /^postgres$/.test((await Deno.readTextFile(`/proc/${pid}/comm`).catch(() => "")).trim());
}
