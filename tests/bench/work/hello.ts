// Hello world beside workerd and bare Deno.serve: the whole path, with authorization, isolate and log row.

import { load, type LoadResult, rate } from "../load.ts";
import type { Row } from "../results.ts";
import { startPeer, startWorkerd } from "../servers.ts";
import { inTurn, median, rounds } from "../statistics.ts";
import { hello, openWorld } from "../world.ts";

const p50 = (results: readonly LoadResult[]) => median(results.map((result) => result.p50));

export async function helloWorld(): Promise<Row[]> {
  await using world = await openWorld();
  await using workerd = await startWorkerd(world.dir);
  await using bare = await startPeer("bare_serve.ts");
  await using each = await startPeer("worker_each.ts");
  const url = await world.client.deploy(world.app, "hello", hello);
  const at = (connections: number, seconds: number) => ({
    ours: () => load(url, { connections, seconds }),
    workerd: () => load(`${workerd.origin}/`, { connections, seconds }),
    bare: () => load(`${bare.origin}/`, { connections, seconds }),
  });
  // Warm, as each of them runs in service.
  for (const warm of Object.values(at(32, 2))) await warm();
  const many = await inTurn(rounds, at(32, 4));
  const one = await inTurn(rounds, at(1, 2));
  const slow = await inTurn(3, { each: () => load(`${each.origin}/`, { connections: 8, seconds: 3 }) });
  const failed = many.ours.reduce((sum, result) => sum + result.failed, 0);
  const throughput = rate(many.ours) / rate(many.workerd);
  const latency = p50(one.ours) / p50(one.workerd);
  const overEach = rate(many.ours) / rate(slow.each);
  return [
    {
      work: "hello world, 32 connections, requests a second",
      ours: `${rate(many.ours).toFixed(0)}${failed > 0 ? ` (${failed} failed)` : ""}`,
      peer: `workerd ${rate(many.workerd).toFixed(0)}, bare ${rate(many.bare).toFixed(0)}`,
      ratio: throughput.toFixed(2),
      bar: "≥ 1.5 × workerd",
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
    {
      work: "hello world beside a worker for each request",
      ours: rate(many.ours).toFixed(0),
      peer: `worker each ${rate(slow.each).toFixed(0)}`,
      ratio: overEach.toFixed(0),
      bar: "≥ 150 ×",
      met: overEach >= 150,
      raw: slow,
    },
  ];
}
