// The embedded PostgreSQL of a data folder: STARTING → READY → (RESTARTING → READY)* → STOPPED. It is reached by unix
// socket alone. When it dies it is started again, for as long as the server lives; no way of ending the server leaves it.

import { join } from "node:path";
import type { Logger } from "../../core/log.ts";
import type { Server } from "../server.ts";
import { checkReachable, findAccount } from "./account.ts";
import { placeBinaries } from "./binaries.ts";
import { clusterOwner, prepareCluster } from "./cluster.ts";
import { lockDataFolder } from "./data_folder_lock.ts";
import { openLogFile } from "./log_file.ts";
import { clearOrphan } from "./postmaster_file.ts";
import { type PostgresProcess, startPostgres } from "./postgres_process.ts";
import { postgresSettings, type SettingsParts } from "./settings.ts";
import { prepareSocketFolder, socketPath } from "./socket_folder.ts";

export interface EmbeddedPostgres {
  readonly server: Server;
  readonly state: "ready" | "restarting" | "stopped";
  /** PostgreSQL's main process and the shell that watches over it; none while restarting. */
  processIds(): { postgres: number; keeper: number } | undefined;
  stop(): Promise<void>;
}

export interface EmbeddedParts extends SettingsParts {
  /** An absolute path; made when missing. */
  dataDir: string;
  log: Logger;
}

/** @throws {AppError} saying what is in the way: another server, a folder that cannot be entered, a failed start. */
export async function startEmbeddedPostgres(parts: EmbeddedParts): Promise<EmbeddedPostgres> {
  const { log } = parts;
  await Deno.mkdir(parts.dataDir, { recursive: true, mode: 0o711 });
  // One spelling of the path, so that a PostgreSQL left behind is known again.
  const dataDir = await Deno.realPath(parts.dataDir);
  using resources = new DisposableStack();
  resources.use(await lockDataFolder(dataDir));
  const account = await findAccount();
  if (account.ids.uid !== undefined) await openToTraversal(dataDir);
  await checkReachable(dataDir, account);
  const binaries = await placeBinaries(join(dataDir, "postgres"));
  const password = await prepareCluster({ dataDir, binaries, account });
  const pgdata = join(dataDir, "pgdata");
  const socketFolder = await prepareSocketFolder(dataDir, account);
  const start = async () => {
    await clearOrphan(pgdata, log);
    return await startPostgres({
      binaries,
      pgdata,
      socketFolder,
      account,
      settings: postgresSettings(parts),
      logFile: openLogFile(join(dataDir, "postgres.log")),
    });
  };
  const server: Server = {
    endpoint: { kind: "unix", path: socketPath(socketFolder) },
    user: clusterOwner,
    password,
    controlDatabase: "butterbase_control",
  };
  return supervise(await start(), { start, server, log, held: resources.move() });
}

/** Other accounts may pass through, not look around: what lies here is closed by its own mode. */
async function openToTraversal(dataDir: string): Promise<void> {
  const { mode } = await Deno.stat(dataDir);
  await Deno.chmod(dataDir, ((mode ?? 0o700) & 0o777) | 0o001);
}

interface SupervisorParts {
  start: () => Promise<PostgresProcess>;
  server: Server;
  log: Logger;
  held: DisposableStack;
}

const longestPauseMs = 5_000;

function supervise(first: PostgresProcess, { start, server, log, held }: SupervisorParts): EmbeddedPostgres {
  let current: PostgresProcess | undefined = first;
  let stopping = false;
  let wake = () => {};
  const finished = keepRunning();

  async function keepRunning(): Promise<void> {
    let pauseMs = 50;
    while (!stopping) {
      if (current !== undefined) {
        const startedAt = performance.now();
        await current.stopped;
        current = undefined;
        if (stopping) return;
        log.error("The embedded PostgreSQL has ended, and is started again");
        if (performance.now() - startedAt > 60_000) pauseMs = 50;
      }
      await pause(pauseMs);
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
      if (stopping) return;
      try {
        current = await start();
        log.warn("The embedded PostgreSQL runs again", { pid: current.pid });
      } catch (error) {
        log.error("The embedded PostgreSQL could not be started again", { error });
      }
    }
    await current?.stop();
  }

  function pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, ms);
      wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  return {
    server,
    get state() {
      return stopping ? "stopped" : current === undefined ? "restarting" : "ready";
    },
    processIds: () => current && { postgres: current.pid, keeper: current.keeperPid },
    async stop() {
      stopping = true;
      wake();
      await current?.stop();
      await finished;
      held.dispose();
    },
  };
}
