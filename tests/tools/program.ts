// The platform as its user starts it: `deno run -A main.ts` as a process of its own, in a folder of its own, on a free
// port, with nothing set but what the test says. STARTING → LISTENING → ENDED; what it leaves behind can be looked for.

import { join } from "node:path";

const root = join(import.meta.dirname ?? "", "..", "..");

/** Longest time a start may take; the first one copies PostgreSQL and fetches the bundler's parts. */
const startPatienceMs = 120_000;

export interface DataFolder extends AsyncDisposable {
  readonly path: string;
  /** Processes that work in the folder or name it in their arguments: PostgreSQL, its keeper, isolate hosts, bundlers. */
  processes(): { pid: number; command: string }[];
}

/** A folder that PostgreSQL's own account can enter; removed at the end. */
export async function makeDataFolder(): Promise<DataFolder> {
  const outer = await Deno.makeTempDir({ prefix: "bb-" });
  await Deno.chmod(outer, 0o711);
  const path = join(outer, "data");
  return {
    path,
    processes: () => processesOf(path),
    [Symbol.asyncDispose]: () => Deno.remove(outer, { recursive: true }),
  };
}

export interface Ended {
  code: number;
  signal: string | null;
  /** Lines of standard output and standard error, without what Deno says of downloads. */
  stdout: string[];
  stderr: string[];
}

export interface Program extends AsyncDisposable {
  readonly pid: number;
  readonly origin: string;
  /** Lines printed so far. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly ended: Promise<Ended>;
  kill(signal: Deno.Signal): void;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<Ended>;
}

/** Runs it until it ends by itself. */
export async function runProgram(dataDir: string, settings: Record<string, string> = {}): Promise<Ended> {
  return await spawn(dataDir, settings).ended;
}

/** Starts it and waits until it listens. @throws with what it printed, when it ends instead. */
export async function startProgram(
  dataDir: string,
  settings: Record<string, string> = {},
): Promise<Program> {
  const program = spawn(dataDir, settings);
  const timer = setTimeout(() => program.kill("SIGKILL"), startPatienceMs);
  const origin = await Promise.race([program.listening, program.ended.then(() => null)]);
  clearTimeout(timer);
  if (origin === null) {
    throw new Error(`It did not start: ${[...program.stdout, ...program.stderr].join("\n")}`);
  }
  return {
    pid: program.pid,
    origin,
    stdout: program.stdout,
    stderr: program.stderr,
    ended: program.ended,
    kill: program.kill,
    stop() {
      program.kill("SIGTERM");
      return program.ended;
    },
    async [Symbol.asyncDispose]() {
      program.kill("SIGKILL");
      await program.ended;
      await until("nothing of it runs any more", () => processesOf(dataDir).length === 0);
    },
  };
}

function spawn(dataDir: string, settings: Record<string, string>) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts"],
    cwd: root,
    clearEnv: true,
    env: { ...inherited(), PORT: "0", BUTTERBASE_DATA_DIR: dataDir, NO_COLOR: "1", ...settings },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const listening = Promise.withResolvers<string>();
  const stdout: string[] = [];
  const stderr: string[] = [];
  const read = Promise.all([
    readLines(child.stdout, (line) => {
      stdout.push(line);
      const origin = /^listening on (http:.+)$/.exec(line)?.[1];
      if (origin !== undefined) listening.resolve(origin);
    }),
    readLines(child.stderr, (line) => void (/^(Download|Initialize) /.test(line) || stderr.push(line))),
  ]);
  return {
    pid: child.pid,
    stdout,
    stderr,
    listening: listening.promise,
    ended: child.status.then(async ({ code, signal }): Promise<Ended> => {
      await read;
      return { code, signal, stdout, stderr };
    }),
    kill(signal: Deno.Signal): void {
      try {
        child.kill(signal);
      } catch {
        // It has ended.
      }
    },
  };
}

/** What Deno needs to find its cache and the npm registry; nothing that is a setting of ours. */
function inherited(): Record<string, string> {
  const kept =
    /^(PATH|HOME|DENO_DIR|DENO_CERT|DENO_TLS_CA_STORE|XDG_CACHE_HOME|NPM_CONFIG_.*|(HTTPS?|ALL|NO)_PROXY|SSL_CERT_.*|NODE_EXTRA_CA_CERTS|TMPDIR)$/i;
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => kept.test(name)));
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}

function processesOf(dataDir: string): { pid: number; command: string }[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === Deno.pid || !isAlive(pid)) return [];
    const command = readOrEmpty(() => Deno.readTextFileSync(`/proc/${pid}/cmdline`)).replaceAll("\0", " ")
      .trim();
    const workingIn = readOrEmpty(() => Deno.readLinkSync(`/proc/${pid}/cwd`));
    return command.includes(dataDir) || workingIn.startsWith(dataDir) ? [{ pid, command }] : [];
  });
}

/** Whether the process runs; one that has ended and that nobody waited for does not. */
export function isAlive(pid: number): boolean {
  const stat = readOrEmpty(() => Deno.readTextFileSync(`/proc/${pid}/stat`));
  return stat !== "" && !/\) [ZX] /.test(stat);
}

function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/** Waits until it is so. @throws after `patienceMs`. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  patienceMs = 30_000,
): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!await isSo()) {
    if (performance.now() > end) throw new Error(`Not so after ${patienceMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
