// Reads `postmaster.pid`, in which a running PostgreSQL tells who it is and how far it has come, and clears away what a
// killed one left behind: a server that still runs is stopped, a file whose process is gone or another's is removed.

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

/** After this no PostgreSQL runs on `pgdata`, and none is thought to. */
export async function clearOrphan(pgdata: string, log: Logger): Promise<void> {
  const orphan = await readPostmaster(pgdata);
  if (orphan !== undefined && await isPostgresOf(pgdata, orphan.pid)) {
    log.warn("Stopping a PostgreSQL that an earlier server left behind", { pid: orphan.pid });
    await stop(pgdata, orphan.pid);
  }
  await Deno.remove(join(pgdata, "postmaster.pid")).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** SIGINT ends its sessions and shuts down in order; SIGQUIT, when that takes too long, leaves recovery to the next start. */
async function stop(pgdata: string, pid: number): Promise<void> {
  for (const [signal, patienceMs] of [["SIGINT", 20_000], ["SIGQUIT", 5_000], ["SIGKILL", 5_000]] as const) {
    try {
      Deno.kill(pid, signal);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    const until = performance.now() + patienceMs;
    while (performance.now() < until) {
      if (!await isPostgresOf(pgdata, pid)) return;
      await new Promise((done) => setTimeout(done, 20));
    }
  }
  throw new AppError("EXTERNAL_DB_ERROR", `Cannot stop the PostgreSQL of "${pgdata}": process ${pid} goes on running`);
}

/** Process ids are used again, so the command line must say that this one is a PostgreSQL of that folder. */
export async function isPostgresOf(pgdata: string, pid: number): Promise<boolean> {
  const words = Deno.build.os === "linux" ? await linuxCommandLine(pid) : await psCommandLine(pid);
  return /(^|\/)postgres$/.test(words[0] ?? "") && words.includes(pgdata);
}

async function linuxCommandLine(pid: number): Promise<string[]> {
  try {
    return (await Deno.readTextFile(`/proc/${pid}/cmdline`)).split("\0");
  } catch {
    // No such process.
    return [];
  }
}

async function psCommandLine(pid: number): Promise<string[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "command=", "-p", String(pid)] }).output();
  // `ps` does not say where a word ends; the folder is searched for in what follows `-D`.
  const [, program, folder] = /^(\S+) -D (.+?) -[a-z] /.exec(new TextDecoder().decode(stdout)) ?? [];
  return program === undefined || folder === undefined ? [] : [program, folder];
}
