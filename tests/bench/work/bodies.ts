// 1 MiB in and out, beside bare Deno.serve.

import { load } from "../load.ts";
import { besideBare, type Row } from "../results.ts";
import { startPeer } from "../servers.ts";
import { inTurn, rounds } from "../statistics.ts";
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
  return [besideBare("1 MiB in and out, 8 connections, a second", results)];
}
