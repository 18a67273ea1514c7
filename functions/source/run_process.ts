// Runs a Deno program of ours beside the server for a single job, bounded in time and output. A process is:
// STARTED (it loads while the job is prepared) → ASKED (it has its input) → ENDED (it exited, or was killed).

export interface ProcessParts {
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment of the process: nothing of the server's own is passed on. */
  readonly env: Readonly<Record<string, string>>;
  readonly maxOutputBytes: number;
  /** Kills the process, for a deadline or because nobody waits any more. */
  readonly signal: AbortSignal;
}

export type ProcessEnd =
  | { kind: "exited"; code: number; signal: string | null; stdout: string; stderr: string }
  | { kind: "too-much-output" };

const maxErrorBytes = 64 * 1024;

/** One process; disposing of it kills it if it still runs. */
export class JobProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #parts: ProcessParts;
  readonly #stderr: Promise<string>;

  constructor(parts: ProcessParts) {
    parts.signal.throwIfAborted();
    this.#parts = parts;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...parts.args],
      cwd: parts.cwd,
      clearEnv: true,
      env: { ...parts.env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    parts.signal.addEventListener("abort", this.#kill, { once: true });
    this.#stderr = readText(this.#child.stderr, maxErrorBytes).then((text) => text ?? "");
  }

  /**
   * Gives the process its input and waits for its end.
   * @throws the signal's reason when that stopped it.
   */
  async ask(input: string): Promise<ProcessEnd> {
    await this.#send(input);
    const stdout = await readText(this.#child.stdout, this.#parts.maxOutputBytes);
    if (stdout === null) {
      this.#kill();
      return { kind: "too-much-output" };
    }
    const { code, signal } = await this.#child.status;
    this.#parts.signal.throwIfAborted();
    return { kind: "exited", code, signal, stdout, stderr: await this.#stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    this.#parts.signal.removeEventListener("abort", this.#kill);
    await this.#child.status;
    await this.#stderr;
    await this.#child.stdin.abort().catch(() => {});
    await this.#child.stdout.cancel().catch(() => {});
  }

  async #send(input: string): Promise<void> {
    try {
      const writer = this.#child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(input));
      await writer.close();
    } catch {
      // It ended before it read everything; how it ended says why.
    }
  }

  readonly #kill = () => {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  };
}

/** Reads to the end, or answers `null` once there is more than `maxBytes`. */
async function readText(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  maxBytes: number,
): Promise<string | null> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > maxBytes) return null;
      chunks.push(chunk);
    }
  } catch {
    // The process was killed while it wrote.
  }
  return await new Blob(chunks).text();
}
