// The measurements, each with its peers and its bar.

import { BenchClient, type BenchServer, startOurs, startPeer, startWorkerd } from "./servers.ts";
import { load, type LoadResult } from "./load.ts";
import type { Row } from "./results.ts";
import { inTurn, median } from "./statistics.ts";

export interface Benchmark {
  name: string;
  run(): Promise<Row[]>;
}

const rounds = 5;
const hello = `export default function handler(req) {
  const name = new URL(req.url).searchParams.get("name") ?? "world";
  return Response.json({ message: "Hello, " + name + "!" });
}`;

async function withServers<Value>(
  use: (
    servers: { ours: BenchServer; client: BenchClient; workerd: BenchServer; bare: BenchServer },
  ) => Promise<Value>,
): Promise<Value> {
  await using stack = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "bb-bench-" });
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  // The embedded PostgreSQL runs as another user when the bench runs as root.
  await Deno.chmod(dir, 0o755);
  await Deno.mkdir(`${dir}/workerd`);
  const workerd = stack.use(await startWorkerd(`${dir}/workerd`));
  const bare = stack.use(await startPeer("bare_serve.ts"));
  const ours = stack.use(await startOurs(`${dir}/data`));
  return await use({ ours, workerd, bare, client: new BenchClient(ours.origin) });
}

const rate = (results: readonly LoadResult[]) => median(results.map((result) => result.requestsPerSecond));
const p50 = (results: readonly LoadResult[]) => median(results.map((result) => result.p50));

function helloWorld(): Promise<Row[]> {
  return withServers(async ({ workerd, bare, client }) => {
    const app = await client.createApp("bench");
    const url = await client.deploy(app, "hello", hello);
    const urls = { ours: url, workerd: `${workerd.origin}/`, bare: `${bare.origin}/` };
    const at = (connections: number, seconds: number) =>
      inTurn(
        rounds,
        Object.fromEntries(
          Object.entries(urls).map(([name, target]) => [name, () => load(target, { connections, seconds })]),
        ),
      );
    // Warm, as each of them runs in service.
    for (const target of Object.values(urls)) await load(target, { connections: 32, seconds: 2 });
    const many = await at(32, 4) as Record<keyof typeof urls, LoadResult[]>;
    const one = await at(1, 2) as Record<keyof typeof urls, LoadResult[]>;
    const failed = many.ours.reduce((sum, result) => sum + result.failed, 0);
    const throughput = rate(many.ours) / rate(many.workerd);
    const latency = p50(one.ours) / p50(one.workerd);
    return [
      {
        work: "hello world, 32 connections, requests a second",
        ours: `${rate(many.ours).toFixed(0)}${failed > 0 ? ` (${failed} failed)` : ""}`,
        peer: `workerd ${rate(many.workerd).toFixed(0)}, bare ${rate(many.bare).toFixed(0)}`,
        ratio: throughput.toFixed(2),
        bar: "≥ 1.5 × workerd (first bar: 1 ×)",
        met: throughput >= 1.5 && failed === 0,
        raw: many,
      },
      {
        work: "hello world, one connection, p50 ms",
        ours: p50(one.ours).toFixed(3),
        peer: `workerd ${p50(one.workerd).toFixed(3)}, bare ${p50(one.bare).toFixed(3)}`,
        ratio: latency.toFixed(2),
        bar: "≤ 1.2 × workerd",
        met: latency <= 1.2,
        raw: one,
      },
    ];
  });
}

export const benchmarks: readonly Benchmark[] = [
  { name: "hello", run: helloWorld },
];
