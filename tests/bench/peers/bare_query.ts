// The peer for ctx.db.query: Deno.serve and the same query by postgres.js.
// `deno run bare_query.ts <port> <server url> <database>`

import { openSql, parseDatabaseUrl } from "../../../db/server.ts";

const sql = openSql(parseDatabaseUrl(Deno.args[1] as string), Deno.args[2] as string, { max: 8 });
Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, async () => {
  return Response.json(await sql`select id, name from bench where id = ${7}`);
});
