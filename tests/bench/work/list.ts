// A page of fifty rows over REST, under RLS, beside the same SQL from bare Deno.serve by the same driver.

import type { Column, Table } from "../../../data/catalogue/mod.ts";
import { selectStatement } from "../../../data/rest/statements.ts";
import { load } from "../load.ts";
import { besideBare, type Row } from "../results.ts";
import { startPeer } from "../servers.ts";
import { inTurn, rounds } from "../statistics.ts";
import { openWorld } from "../world.ts";

const types = {
  id: "bigint",
  name: "text",
  done: "boolean",
  price: "numeric(10,2)",
  at: "timestamp with time zone",
};
const columns = Object.entries(types).map(([name, type]) => [name, { name, type } as Column] as const);

const make = `export default async function handler(_req, ctx) {
  await ctx.db.asService(async (db) => {
    await db.query("create table items (${
  Object.entries(types).map(([name, type]) => `${name} ${type}${name === "id" ? " primary key" : ""}`).join(
    ", ",
  )
})");
    await db.query("insert into items select i, 'name ' || i, i % 2 = 0, i * 1.5, now() from generate_series(1, 10000) i");
    await db.query("alter table items enable row level security");
    await db.query("create policy everyone on items for select using (true)");
  });
  return new Response("made");
}`;

export async function listRows(): Promise<Row[]> {
  await using world = await openWorld();
  await (await fetch(await world.client.deploy(world.app, "make", make))).text();
  const { text } = selectStatement(
    { name: "items", columns: new Map(columns) } as unknown as Table,
    { select: [], conditions: [], order: [], limit: 50, offset: 0, count: false },
    { rows: 10_000, bytes: 16 * 1024 * 1024 },
  );
  await using bare = await startPeer("bare_list.ts", world.databaseUrl, world.app, text);
  const target = `${world.ours.origin}/v1/${world.app}/items?limit=50`;
  const [ours, peers] = await Promise.all(
    [target, bare.origin].map(async (url) => (await fetch(url)).text()),
  );
  if (ours !== peers || JSON.parse(ours ?? "").length !== 50) {
    throw new Error(`The pages differ: ${ours} and ${peers}`);
  }
  const at = (connections: number, seconds: number) => ({
    ours: () => load(target, { connections, seconds }),
    bare: () => load(`${bare.origin}/`, { connections, seconds }),
  });
  for (const warm of Object.values(at(32, 2))) await warm();
  const results = await inTurn(rounds, at(32, 4));
  return [besideBare("GET a page of 50 rows under RLS, 32 connections, a second", results)];
}
