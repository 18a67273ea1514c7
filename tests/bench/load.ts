// Load for the bench, by wrk, on loopback only; bounded in time.

import { median } from "./statistics.ts";

export interface LoadResult {
  requestsPerSecond: number;
  /** Latency in ms. */
  p50: number;
  p99: number;
  failed: number;
}

/** Median of the requests a second. */
export function rate(results: readonly LoadResult[]): number {
  return median(results.map((result) => result.requestsPerSecond));
}

export interface LoadOptions {
  connections: number;
  seconds: number;
  body?: string;
}

/** A post of `body`, as wrk's Lua wants it. */
function script(body: string): string {
  return `wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/octet-stream"\nlocal f = io.open("${body}", "rb")\nwrk.body = f:read("*a")\nf:close()\n`;
}

/** @throws {Error} when wrk is not installed, or the server did not answer. */
export async function load(url: string, { connections, seconds, body }: LoadOptions): Promise<LoadResult> {
  if (!["127.0.0.1", "localhost"].includes(new URL(url).hostname)) {
    throw new Error(`Not a loopback address: ${url}`);
  }
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "--timeout", "10s"];
  if (body !== undefined) {
    const path = await Deno.makeTempFile({ suffix: ".lua" });
    await Deno.writeTextFile(path, script(body));
    args.push("-s", path);
  }
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("wrk", { args: [...args, url], stderr: "piped" }).output();
  } catch (cause) {
    throw new Error("The bench needs wrk: apt-get install wrk", { cause });
  }
  const text = new TextDecoder().decode(output.stdout);
  const requestsPerSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0);
  if (requestsPerSecond === 0) throw new Error(`No answer from ${url}: ${text}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  return {
    requestsPerSecond,
    p50: milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(text)),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    failed: Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0) +
      (errors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
  };
}

function milliseconds(match: RegExpExecArray | null): number {
  if (match === null) return NaN;
  const factor = { us: 0.001, ms: 1, s: 1000 }[match[2] as "us" | "ms" | "s"];
  return Number(match[1]) * factor;
}
