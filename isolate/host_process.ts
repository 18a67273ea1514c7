// One isolate host as a process and a socket: STARTING → RUNNING → GONE. It carries frames and knows nothing of runs.
// The process ends when the socket closes, so a server that dies leaves none behind.

import { setImmediate } from "node:timers";
import { egressFlags, type EgressRules } from "./egress.ts";
import { type Bytes, type Frame, FrameReader, FrameWriter } from "./protocol/frames.ts";

export interface HostProcessParts {
  memoryLimitMb: number;
  egress: EgressRules;
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
let lastSocket = 0;

export class HostProcess {
  readonly out = new FrameWriter(16 * 1024);
  readonly pid: number;
  readonly gone: Promise<HostDeath>;
  #child: Deno.ChildProcess;
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
    const path = `${parts.socketDir}/h${Deno.pid}-${++lastSocket}`;
    using listener = Deno.listen({ transport: "unix", path });
    const child = new Deno.Command(parts.execPath, {
      args: hostArguments(parts, path),
      clearEnv: true,
      env: { DENO_DIR: parts.denoDir, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const gone = watch(child);
    const host = new HostProcess(child, gone);
    try {
      const connected = listener.accept();
      const first = await Promise.race([connected, gone]);
      if (!("readable" in first)) {
        throw new Error(
          `An isolate host ended while it started: ${first.lastWords || `exit code ${first.code}`}`,
        );
      }
      host.#socket = first as Deno.UnixConn;
    } catch (error) {
      host.kill();
      throw error;
    } finally {
      await Deno.remove(path).catch(() => {});
    }
    void host.#read(parts);
    return host;
  }

  /** Sends what was written to `out`, once this turn of the event loop is over: a write costs more than many frames. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#writing) void this.#flush();
    });
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  async #flush(): Promise<void> {
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

  async #read({ onFrame, onGone }: HostProcessParts): Promise<void> {
    const reader = new FrameReader();
    const buffer: Bytes = new Uint8Array(readBytes);
    try {
      for (;;) {
        const count = await this.#socket!.read(buffer);
        if (count === null) break;
        reader.push(buffer.slice(0, count), onFrame);
      }
    } catch {
      // A reset socket or a frame that cannot be: either way this host is over.
    }
    this.kill();
    const death = await this.gone;
    try {
      this.#socket?.close();
    } catch {
      // Closed already.
    }
    this.#socket = null;
    onGone(death);
  }
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

/** The process may read the modules that its worker is made of and use its socket, and nothing else of the machine. */
function hostArguments({ memoryLimitMb, egress }: HostProcessParts, socketPath: string): string[] {
  const worker = new URL("./worker/bootstrap.ts", import.meta.url);
  const modules = ["./worker/", "./protocol/", "../core/"].map((path) =>
    new URL(path, import.meta.url).pathname
  );
  return [
    "run",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--no-npm",
    "--cached-only",
    "--no-prompt",
    "--quiet",
    "--unstable-worker-options",
    `--v8-flags=--max-old-space-size=${memoryLimitMb}`,
    `--allow-read=${[...modules, socketPath].join(",")}`,
    `--allow-write=${socketPath}`,
    ...egressFlags(egress),
    new URL("./host/main.ts", import.meta.url).href,
    socketPath,
    worker.href,
  ];
}
