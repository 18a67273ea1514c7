// What an honest function notices of one beside it that loops, hoards and floods its log.

import { load } from "../load.ts";
import { judged, type Row } from "../results.ts";
import { inTurn, median } from "../statistics.ts";
import { hello, openWorld } from "../world.ts";

const bad = `const kept = [];
export default async function handler(req) {
  const what = new URL(req.url).searchParams.get("do");
  if (what === "loop") while (true) {}
  if (what === "hoard") for (;;) kept.push(new Uint8Array(1e6).fill(1));
  for (let i = 0; i < 100; i++) console.log("x".repeat(10_000));
  return new Response("done");
}`;

export async function neighbour(): Promise<Row[]> {
  await using world = await openWorld();
  const url = await world.client.deploy(world.app, "honest", hello);
  const hostile = await world.client.deploy(world.app, "hostile", bad, { timeoutMs: 200 });
  const once = () => load(url, { connections: 4, seconds: 4 });
  await once();
  let harassing = false;
  async function harass(): Promise<void> {
    for (const what of ["loop", "hoard", "log"]) {
      if (!harassing) return;
      await fetch(`${hostile}?do=${what}`).then((response) => response.body?.cancel(), () => {});
    }
  }
  async function beside(): Promise<Awaited<ReturnType<typeof once>>> {
    harassing = true;
    const harassment = (async () => {
      while (harassing) await harass();
    })();
    const result = await once();
    harassing = false;
    await harassment;
    return result;
  }
  const results = await inTurn(5, { alone: once, beside });
  const p99 = (of: { p99: number }[]) => median(of.map((result) => result.p99));
  const failed = results.beside.reduce((sum, result) => sum + result.failed, 0);
  const ratio = p99(results.beside) / p99(results.alone);
  return [judged({
    work: "p99 ms beside a neighbour that loops, hoards and floods its log",
    ours: `${p99(results.beside).toFixed(2)}, ${failed} failed`,
    peer: `alone ${p99(results.alone).toFixed(2)}`,
    value: ratio,
    unit: "×",
    bar: { kind: "at most", value: 1.5, words: "alone, none fails" },
    raw: results,
  }, failed)];
}
