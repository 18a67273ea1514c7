// Hello world beside workerd and bare Deno.serve: the whole path, with authorization, isolate and log row.

import { load, type LoadResult, rate } from "../load.ts";
import { judged, type Row } from "../results.ts";
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
    judged({
      work: "hello world, 32 connections, requests a second",
      ours: `${rate(many.ours).toFixed(0)}${failed > 0 ? ` (${failed} failed)` : ""}`,
      peer: `workerd ${rate(many.workerd).toFixed(0)}, bare ${rate(many.bare).toFixed(0)}`,
      value: throughput,
      unit: "×",
      bar: { kind: "at least", value: 1.5, words: "workerd" },
      raw: many,
    }, failed),
    judged({
      work: "hello world, one connection, p50 ms",
      ours: p50(one.ours).toFixed(3),
      peer: `workerd ${p50(one.workerd).toFixed(3)}, bare ${p50(one.bare).toFixed(3)}`,
      value: latency,
      unit: "×",
      bar: { kind: "at most", value: 1.2, words: "workerd" },
      raw: one,
    }),
    judged({
      work: "hello world beside a worker for each request",
      ours: rate(many.ours).toFixed(0),
      peer: `worker each ${rate(slow.each).toFixed(0)}`,
      value: overEach,
      unit: "×",
      bar: { kind: "at least", value: 150, words: "a worker for each request" },
      raw: { ours: many.ours, each: slow.each },
    }),
  ];
}
