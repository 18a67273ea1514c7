// The servers that the bench compares: ours as a user starts it, and its peers. Each is a process that is ended by its id.

import { fromFileUrl } from "./paths.ts";
import { workerdCommand } from "./peers/workerd.ts";

export interface BenchServer extends AsyncDisposable {
  readonly origin: string;
  readonly pid: number;
}

export const benchKey = `bb_sk_${"b".repeat(40)}`;

async function start(
  program: string,
  args: string[],
  { port, env = {} }: { port: number; env?: Record<string, string> },
) {
  const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "null", stderr: "inherit" })
    .spawn();
  const origin = `http://127.0.0.1:${port}`;
  const server: BenchServer = {
    origin,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // It is gone already.
      }
      await child.status;
    },
  };
  const deadline = performance.now() + 60_000;
  let ended = false;
  void child.status.then(() => (ended = true));
  while (performance.now() < deadline && !ended) {
    const answered = await fetch(`${origin}/health/ready`).then(
      (r) => r.body?.cancel().then(() => r.status),
      () => 0,
    );
    // A peer has no such route, and answers it like any other.
    if (answered !== 0 && answered !== 503) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await server[Symbol.asyncDispose]();
  throw new Error(`${program} did not answer on port ${port}`);
}

let nextPort = 4700;
export const freePort = () => nextPort++;

export type Peer =
  | "bare_serve.ts"
  | "bare_echo.ts"
  | "bare_login.ts"
  | "bare_query.ts"
  | "bare_list.ts"
  | "worker_each.ts";

export function startPeer(file: Peer, ...args: string[]): Promise<BenchServer> {
  const port = freePort();
  return start(Deno.execPath(), ["run", "-A", fromFileUrl(`./peers/${file}`), String(port), ...args], {
    port,
  });
}

export async function startWorkerd(dir: string): Promise<BenchServer> {
  const port = freePort();
  const { program, args } = await workerdCommand(dir, port);
  return await start(program, args, { port });
}

/** The flags that `deno task start` gives the server. */
const serverFlags = ["--v8-flags=--min-semi-space-size=32,--max-semi-space-size=64"];

/** Our server on a fresh data folder, with the default settings. */
export function startOurs(dir: string, env: Record<string, string> = {}): Promise<BenchServer> {
  const port = freePort();
  return start(Deno.execPath(), ["run", "-A", ...serverFlags, fromFileUrl("../../main.ts")], {
    port,
    env: {
      PORT: String(port),
      BUTTERBASE_DATA_DIR: dir,
      BUTTERBASE_BOOTSTRAP_KEY: benchKey,
      BUTTERBASE_SAMPLE_APP: "off",
      ...env,
    },
  });
}

/** A client of ours for what the bench sets up. */
export class BenchClient {
  constructor(readonly origin: string) {}

  async post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(this.origin + path, {
      method: "POST",
      headers: { authorization: `Bearer ${benchKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async createApp(name: string): Promise<string> {
    return (await this.post("/init", { name }))["app_id"] as string;
  }

  /** Deploys a public function; its URL. */
  async deploy(app: string, name: string, code: string, fields: object = {}): Promise<string> {
    await this.post(`/v1/${app}/functions`, {
      name,
      code,
      trigger: { type: "http", config: { auth: "none" } },
      ...fields,
    });
    return `${this.origin}/v1/${app}/fn/${name}`;
  }
}
