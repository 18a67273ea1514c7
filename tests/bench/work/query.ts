// One prepared ctx.db.query, beside the same query from bare Deno.serve.

import { load } from "../load.ts";
import { besideBare, type Row } from "../results.ts";
import { startPeer } from "../servers.ts";
import { inTurn, rounds } from "../statistics.ts";
import { openWorld } from "../world.ts";

const make = `export default async function handler(_req, ctx) {
  await ctx.db.asService(async (db) => {
    await db.query("create table if not exists bench (id int primary key, name text)");
    await db.query("insert into bench select i, 'name ' || i from generate_series(1, 100) i");
    await db.query("alter table bench enable row level security");
    await db.query("create policy everyone on bench for select using (true)");
  });
  return new Response("made");
}`;
const read = `export default async function handler(_req, ctx) {
  const { rows } = await ctx.db.query("select id, name from bench where id = $1", [7]);
  return Response.json(rows);
}`;

export async function oneQuery(): Promise<Row[]> {
  await using world = await openWorld();
  await (await fetch(await world.client.deploy(world.app, "make", make))).text();
  const target = await world.client.deploy(world.app, "read", read);
  await using bare = await startPeer("bare_query.ts", world.databaseUrl, world.app);
  const at = (connections: number, seconds: number) => ({
    ours: () => load(target, { connections, seconds }),
    bare: () => load(`${bare.origin}/`, { connections, seconds }),
  });
  for (const warm of Object.values(at(32, 2))) await warm();
  const results = await inTurn(rounds, at(32, 4));
  return [besideBare("one prepared ctx.db.query under RLS, 32 connections, a second", results)];
}
