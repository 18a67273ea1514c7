// 1 MiB in and out, beside bare Deno.serve.

import { load, type LoadResult } from "../load.ts";
import type { Row } from "../results.ts";
import { startPeer } from "../servers.ts";
import { inTurn, median, rounds } from "../statistics.ts";
import { openWorld } from "../world.ts";

const echo = `export default async function handler(req) { return new Response(await req.arrayBuffer()); }`;

export async function bodies(): Promise<Row[]> {
  await using world = await openWorld();
  await using bare = await startPeer("bare_echo.ts");
  const url = await world.client.deploy(world.app, "echo", echo);
  const body = `${world.dir}/body`;
  await Deno.writeFile(body, crypto.getRandomValues(new Uint8Array(64 * 1024)));
  const whole = new Uint8Array(1024 * 1024);
  const part = await Deno.readFile(body);
  for (let at = 0; at < whole.length; at += part.length) whole.set(part, at);
  await Deno.writeFile(body, whole);
  const at = (seconds: number) => ({
    ours: () => load(url, { connections: 8, seconds, body }),
    bare: () => load(`${bare.origin}/`, { connections: 8, seconds, body }),
  });
  for (const warm of Object.values(at(2))) await warm();
  const results = await inTurn(rounds, at(3));
  const rate = (of: readonly LoadResult[]) => median(of.map((result) => result.requestsPerSecond));
  const ratio = rate(results.ours) / rate(results.bare);
  return [{
    work: "1 MiB in and out, 8 connections, a second",
    ours: rate(results.ours).toFixed(0),
    peer: `bare Deno.serve ${rate(results.bare).toFixed(0)}`,
    ratio: ratio.toFixed(2),
    bar: "≥ 0.5 ×",
    met: ratio >= 0.5,
    raw: results,
  }];
}
