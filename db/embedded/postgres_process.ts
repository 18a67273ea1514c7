// One run of PostgreSQL: STARTING → READY → STOPPED. It runs under a small shell that holds the other end of a pipe of
// ours: when we die, however we die, the pipe closes and the shell shuts PostgreSQL down.

import { join } from "node:path";
import { AppError } from "../../core/errors.ts";
import type { Account } from "./account.ts";
import type { LogFile } from "./log_file.ts";
import { isPostgresOf, readPostmaster } from "./postmaster_file.ts";

const startPatienceMs = 60_000;

/**
 * The first `read` to return is that of the pipe's end. SIGINT is PostgreSQL's fast shutdown. A shell of its own session
 * does not get the terminal's Ctrl-C, which would take the database from under the requests being finished.
 */
const keeper = `
exec 3<&0 </dev/null
"$@" 3<&- &
postgres=$!
( read -r _ <&3; kill -INT $postgres ) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait $postgres
code=$?
kill $watcher 2>/dev/null
exit $code`;

export interface ProcessParts {
  binaries: string;
  pgdata: string;
  socketFolder: string;
  account: Account;
  logFile: LogFile;
  settings: Readonly<Record<string, string>>;
}

export interface PostgresProcess {
  /** Of PostgreSQL's main process, whose children are its backends. */
  readonly pid: number;
  /** Of the shell above it. */
  readonly keeperPid: number;
  /** Fulfilled when both are gone. */
  readonly stopped: Promise<void>;
  /** Ends sessions, writes everything to disk, and returns when it has stopped. */
  stop(): Promise<void>;
}

/** @throws {AppError} EXTERNAL_DB_ERROR with PostgreSQL's own last words when it does not come up. */
export async function startPostgres(parts: ProcessParts): Promise<PostgresProcess> {
  const { binaries, pgdata, account, logFile } = parts;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", keeper, "butterbase-postgres", join(binaries, "bin", "postgres"), ...argumentsOf(parts)],
    ...account.ids,
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    detached: true,
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const logged = logFile.pump(child.stderr);
  let running = true;
  const stopped = child.status.then(async () => {
    running = false;
    await child.stdin.close().catch(() => {});
    // A PostgreSQL that outlives its keeper still holds the log's pipe; the next start stops it.
    await Promise.race([logged, new Promise((done) => setTimeout(done, 500))]);
  });
  const until = performance.now() + startPatienceMs;
  while (running) {
    const postmaster = await readPostmaster(pgdata);
    if (postmaster?.ready && await isPostgresOf(pgdata, postmaster.pid)) {
      return { pid: postmaster.pid, keeperPid: child.pid, stopped, stop };
    }
    if (performance.now() > until) await stop();
    await new Promise((done) => setTimeout(done, 10));
  }
  await stopped;
  throw new AppError(
    "EXTERNAL_DB_ERROR",
    `Cannot start the embedded PostgreSQL: it says "${logFile.tail()}"`,
  );

  async function stop(): Promise<void> {
    // The pipe's end is the order to stop, the same as when we are killed.
    await child.stdin.close().catch(() => {});
    await stopped;
  }
}

function argumentsOf({ pgdata, socketFolder, settings }: ProcessParts): string[] {
  const all = { ...settings, listen_addresses: "", unix_socket_directories: socketFolder, port: "5432" };
  return ["-D", pgdata, ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
}
