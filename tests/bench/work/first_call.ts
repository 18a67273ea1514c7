// The first call after a deploy, beside the time that Deno takes for an empty file.

import { judged, type Row } from "../results.ts";
import { inTurn, median } from "../statistics.ts";
import { hello, openWorld } from "../world.ts";

export async function firstCall(): Promise<Row[]> {
  await using world = await openWorld();
  const empty = `${world.dir}/empty.ts`;
  await Deno.writeTextFile(empty, "");
  let deploys = 0;
  async function ours(): Promise<number> {
    const url = await world.client.deploy(world.app, `first-${++deploys}`, hello);
    // A deploy and the call after it are seldom within the same moment; the pool has refilled by then.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    await (await fetch(url)).text();
    return performance.now() - began;
  }
  async function deno(): Promise<number> {
    const began = performance.now();
    await new Deno.Command(Deno.execPath(), { args: ["run", "--no-config", empty] }).output();
    return performance.now() - began;
  }
  await deno();
  const times = await inTurn(15, { ours, deno });
  const ratio = median(times.ours) / median(times.deno);
  return [judged({
    work: "first call after a deploy, p50 ms",
    ours: median(times.ours).toFixed(1),
    peer: `deno run of an empty file ${median(times.deno).toFixed(1)}`,
    value: ratio,
    unit: "×",
    bar: { kind: "at most", value: 0.5, words: "deno run" },
    raw: times,
  })];
}
