// One isolate host as a process and a socket: STARTING → RUNNING → GONE. It carries frames and knows nothing of runs.
// The process ends when the socket closes, so a server that dies leaves none behind.

import { setImmediate } from "node:timers";
import { egressFlags, type HostEgress } from "./egress.ts";
import { hostConfinement } from "./host_confinement.ts";
import { type Frame, FrameKind, FrameReader, FrameWriter } from "./protocol/frames.ts";
import { sealWhen } from "./protocol/messages.ts";

export interface HostProcessParts {
  memoryLimitMb: number;
  egress: HostEgress;
  /** Whether functions may use IPv6. */
  ipv6: boolean;
  denoDir: string;
  /** Folder for the socket: only the server's user may enter it. */
  socketDir: string;
  execPath: string;
  onFrame(frame: Frame): void;
  /** Called once, when the process is gone; never with a frame after it. */
  onGone(death: HostDeath): void;
}

export interface HostDeath {
  code: number;
  signal: string | null;
  /** The end of what it wrote to standard error, from which the cause is read. */
  lastWords: string;
}

const readBytes = 256 * 1024;
/** glibc's: an idle host with one arena holds 1 to 3 MB less. */
const allocator = { MALLOC_ARENA_MAX: "1" };
/** Longest time a host may take to come up. */
const startTimeoutMs = 15_000;

interface SocketPaths {
  control: string;
  worker: string;
}

export class HostProcess {
  readonly out = new FrameWriter(16 * 1024);
  readonly pid: number;
  readonly gone: Promise<HostDeath>;
  #child: Deno.ChildProcess;
  /** To the main thread. */
  #control: Deno.UnixConn | null = null;
  /** To the worker. */
  #socket: Deno.UnixConn | null = null;
  #scheduled = false;
  #writing = false;

  private constructor(child: Deno.ChildProcess, gone: Promise<HostDeath>) {
    this.#child = child;
    this.pid = child.pid;
    this.gone = gone;
  }

  /** @throws when the process does not come up; nothing of it is left then. */
  static async start(parts: HostProcessParts): Promise<HostProcess> {
    // A folder of the host's own, gone once it is connected: the paths that its permissions name then lead nowhere.
    const folder = await Deno.makeTempDir({ dir: parts.socketDir, prefix: "h" });
    const paths: SocketPaths = { control: `${folder}/c`, worker: `${folder}/w` };
    try {
      using control = Deno.listen({ transport: "unix", path: paths.control });
      using worker = Deno.listen({ transport: "unix", path: paths.worker });
      return await HostProcess.#connect(parts, { paths, control, worker });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }

  static async #connect(
    parts: HostProcessParts,
    { paths, control, worker }: { paths: SocketPaths; control: Deno.UnixListener; worker: Deno.UnixListener },
  ): Promise<HostProcess> {
    const child = new Deno.Command(parts.execPath, {
      args: hostArguments(parts, paths),
      clearEnv: true,
      env: { ...allocator, DENO_DIR: parts.denoDir, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const gone = watch(child);
    const host = new HostProcess(child, gone);
    const accepted = Promise.all([control.accept(), worker.accept()]);
    accepted.catch(() => {});
    const timer = setTimeout(() => host.kill(), startTimeoutMs);
    const first = await Promise.race([accepted, gone]);
    clearTimeout(timer);
    if (!Array.isArray(first)) {
      throw new Error(
        `An isolate host ended while it started: ${first.lastWords || `exit code ${first.code}`}`,
      );
    }
    [host.#control, host.#socket] = first;
    void host.#serve(parts);
    return host;
  }

  /** Sends what was written to `out`, once this turn of the event loop is over: a write costs more than many frames. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Sends it now: for a worker that has nothing else to do. */
  flush(): void {
    this.#scheduled = false;
    if (!this.#writing) void this.#write();
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.out.length > 0 && this.#socket !== null) {
        const bytes = this.out.take();
        for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
      }
    } catch {
      // The process is gone or going: `gone` says so.
      this.kill();
    } finally {
      this.#writing = false;
    }
  }

  /** Asks the main thread, which answers however busy the worker is. */
  report(seal: keyof typeof sealWhen): void {
    const frames = new FrameWriter(64);
    frames.bytes(FrameKind.Report, sealWhen[seal]);
    this.#control?.write(frames.take()).catch(() => this.kill());
  }

  async #serve({ onFrame, onGone }: HostProcessParts): Promise<void> {
    // Either socket's end is the end of the host; a frame that cannot be is too.
    await Promise.race([read(this.#control, onFrame), read(this.#socket, onFrame)]).catch(() => {});
    this.kill();
    const death = await this.gone;
    for (const socket of [this.#control, this.#socket]) {
      try {
        socket?.close();
      } catch {
        // Closed already.
      }
    }
    this.#control = this.#socket = null;
    onGone(death);
  }
}

async function read(socket: Deno.UnixConn | null, onFrame: (frame: Frame) => void): Promise<void> {
  if (socket !== null) await new FrameReader().readAll(socket, new Uint8Array(readBytes), onFrame);
}

async function watch(child: Deno.ChildProcess): Promise<HostDeath> {
  const words = lastWords(child.stderr);
  const { code, signal } = await child.status;
  return { code, signal, lastWords: await words };
}

/** Reads standard error to its end and keeps the last 4 kB. */
async function lastWords(stream: ReadableStream<Uint8Array>): Promise<string> {
  let kept = "";
  try {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) kept = (kept + text).slice(-4096);
  } catch {
    // What was read until then is what there is.
  }
  return kept.trim();
}

/** The process may read the modules that its worker is made of and use its sockets, and nothing else of the machine. */
function hostArguments(
  { memoryLimitMb, egress, ipv6 }: HostProcessParts,
  { control, worker }: SocketPaths,
): string[] {
  const bootstrap = new URL("./worker/bootstrap.ts", import.meta.url);
  const modules = ["./worker/", "./protocol/", "../core/"].map((path) =>
    new URL(path, import.meta.url).pathname
  );
  const confinement = hostConfinement({ memoryLimitMb, ipv6 });
  return [
    "run",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--no-npm",
    "--cached-only",
    // It would be one for all hosts: compiled code that one wrote, the next would run. It also takes a megabyte of each.
    "--no-code-cache",
    "--no-prompt",
    "--quiet",
    "--unstable-worker-options",
    `--v8-flags=--max-old-space-size=${memoryLimitMb},--no-concurrent-array-buffer-sweeping,--expose-gc`,
    `--allow-read=${[...modules, control, worker].join(",")}`,
    `--allow-write=${control},${worker}`,
    // For the main thread alone, which confines the process with it.
    ...(confinement === null ? [] : [`--allow-ffi=${confinement.libc}`]),
    ...egressFlags(egress, [control, worker]),
    new URL("./host/main.ts", import.meta.url).href,
    control,
    worker,
    bootstrap.href,
    JSON.stringify(confinement),
  ];
}
