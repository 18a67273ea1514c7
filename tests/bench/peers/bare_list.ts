// The peer for GET /v1/{app}/{table}: Deno.serve and the same SQL by the same driver, and nothing else.
// `deno run bare_list.ts <port> <server url> <database> <sql>`

import { parseDatabaseUrl } from "../../../db/server.ts";
import { rowValues } from "../../../db/statement.ts";
import { Connection, Outgoing } from "../../../db/wire/mod.ts";

const [port, url = "", database = "", sql = ""] = Deno.args;
const server = parseDatabaseUrl(url);

const connections = await Promise.all(Array.from({ length: 8 }, async () => {
  const connection = await Connection.open(server.endpoint, {
    user: server.user,
    password: server.password.reveal(),
    database,
    settings: {},
  });
  await connection.send(new Outgoing().parse("list", sql).sync(), 1)[0];
  return connection;
}));

let next = 0;
Deno.serve({ port: Number(port), hostname: "127.0.0.1", onListen() {} }, async () => {
  const connection = connections[next++ % connections.length] as Connection;
  const reply = await connection.send(new Outgoing().bind("list", []).execute().sync(), 1)[0];
  const [row] = rowValues({ data: reply?.results[0]?.data ?? new Uint8Array(0) });
  return new Response(row?.[0] as Uint8Array<ArrayBuffer>, {
    headers: { "content-type": "application/json" },
  });
});
