// Program: keeps the PostgreSQL of one test process in a folder, and removes both when that process is gone.
// Arguments: the folder, the id of the process.

import { join } from "node:path";
import { silentLogger } from "../core/log.ts";
import { removeFolder } from "./embedded/binaries.ts";
import { startEmbeddedPostgres } from "./embedded/mod.ts";

const [folder, pid] = Deno.args as [string, string];

try {
  const embedded = await startEmbeddedPostgres({
    dataDir: folder,
    log: silentLogger,
    durability: "fast",
    connections: 300,
  });
  const { endpoint, user, password } = embedded.server;
  const path = endpoint.kind === "unix" ? endpoint.path : "";
  const unfinished = join(folder, "server.json.new");
  await Deno.writeTextFile(unfinished, JSON.stringify({ path, user, password: password.reveal() }), {
    mode: 0o600,
  });
  await Deno.rename(unfinished, join(folder, "server.json"));
  while (await isAlive(pid)) await new Promise((done) => setTimeout(done, 250));
  await embedded.stop();
  await removeFolder(folder);
} catch (error) {
  await Deno.writeTextFile(join(folder, "failure.txt"), String(error));
  while (await isAlive(pid)) await new Promise((done) => setTimeout(done, 250));
  await removeFolder(folder);
}

async function isAlive(pid: string): Promise<boolean> {
  if (Deno.build.os === "linux") return await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
  const { success } = await new Deno.Command("/bin/kill", { args: ["-0", pid], stderr: "null" }).output();
  return success;
}
