// The same call with 10 functions deployed and with 10,000: the way to a function must not grow with their number.

import { openSql, parseDatabaseUrl } from "../../../db/server.ts";
import { load, type LoadResult } from "../load.ts";
import { judged, type Row } from "../results.ts";
import { inTurn, median, rounds } from "../statistics.ts";
import { hello, openWorld, type World } from "../world.ts";

/** Copies of the function, its version and its trigger, as rows: what matters is that they are there. */
async function addFunctions(databaseUrl: string, name: string, count: number): Promise<void> {
  const server = parseDatabaseUrl(databaseUrl);
  const sql = openSql(server, server.controlDatabase, { max: 1 });
  await sql.begin(async (tx) => {
    await tx`create temp table made on commit drop as
      select f.id as old, f.version_id as old_version, gen_random_uuid() as id, gen_random_uuid() as version_id,
        f.name || '-' || n as name
      from functions f, generate_series(1, ${count}) n where f.name = ${name}`;
    await tx`insert into functions
      select (jsonb_populate_record(f, jsonb_build_object('id', m.id, 'name', m.name, 'version_id', m.version_id))).*
      from made m join functions f on f.id = m.old`;
    await tx`insert into function_versions
      select (jsonb_populate_record(v, jsonb_build_object('id', m.version_id, 'function_id', m.id))).*
      from made m join function_versions v on v.id = m.old_version`;
    await tx`insert into function_triggers
      select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'function_id', m.id))).*
      from made m join function_triggers t on t.function_id = m.old`;
  });
  await sql.end();
}

export async function manyFunctions(): Promise<Row[]> {
  await using few = await openWorld();
  await using many = await openWorld();
  const [fewUrl, manyUrl] = await Promise.all([deployed(few, 10), deployed(many, 10_000)]);
  const at = { few: () => load(fewUrl, once), many: () => load(manyUrl, once) };
  for (const warm of Object.values(at)) await warm();
  const results = await inTurn(rounds, at);
  const p50 = (of: readonly LoadResult[]) => median(of.map((result) => result.p50));
  return [judged({
    work: "p50 ms with 10,000 functions deployed",
    ours: p50(results.many).toFixed(3),
    peer: `with 10 ${p50(results.few).toFixed(3)}`,
    value: p50(results.many) / p50(results.few),
    unit: "×",
    bar: { kind: "at most", value: 1.2, words: "with 10" },
    raw: results,
  })];
}

const once = { connections: 1, seconds: 2 };

/** The URL of a function that is one of `count`. */
async function deployed(world: World, count: number): Promise<string> {
  const url = await world.client.deploy(world.app, "hello", hello);
  await addFunctions(world.databaseUrl, "hello", count - 1);
  return url;
}
