// What a measurement stands on: our server with one app, on a PostgreSQL of the bench's own, and a folder that goes away.

import { openTestDatabase } from "../../db/testing.ts";
import { BenchClient, type BenchServer, startOurs } from "./servers.ts";

export interface World extends AsyncDisposable {
  readonly ours: BenchServer;
  readonly client: BenchClient;
  readonly app: string;
  readonly dir: string;
  /** The control database; the app's stands beside it under the app's id. */
  readonly databaseUrl: string;
}

export async function openWorld(env: Record<string, string> = {}): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const { databaseUrl } = opened.use(await openTestDatabase());
  const dir = await Deno.makeTempDir({ prefix: "bb-bench-" });
  opened.defer(() => Deno.remove(dir, { recursive: true }));
  const ours = opened.use(await startOurs(`${dir}/data`, { DATABASE_URL: databaseUrl, ...env }));
  const client = new BenchClient(ours.origin);
  const app = await client.createApp("bench");
  const all = opened.move();
  return { ours, client, app, dir, databaseUrl, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

export const hello = `export default function handler(req) {
  const name = new URL(req.url).searchParams.get("name") ?? "world";
  return Response.json({ message: "Hello, " + name + "!" });
}`;
