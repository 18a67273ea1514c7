// Where the hosts' sockets stand: a folder that only the server's user may enter, with a path short enough for a socket's.

import { join } from "node:path";

/** The least of the systems' limits on socket paths, with room for a socket's own name. */
const longestPath = 97 - 20;

/** Makes the folder, the same at every start, and empties it of what a crash left. */
export async function prepareHostSockets(dataDir: string): Promise<string> {
  const folder = await socketFolder(dataDir);
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const { isDirectory, isSymlink, uid } = await Deno.lstat(folder);
  if (!isDirectory || isSymlink || (uid !== null && uid !== Deno.uid())) {
    throw new Error(`Cannot put the isolates' sockets into "${folder}": it belongs to somebody else`);
  }
  await Deno.chmod(folder, 0o700);
  for await (const { name } of Deno.readDir(folder)) await Deno.remove(join(folder, name)).catch(() => {});
  return folder;
}

async function socketFolder(dataDir: string): Promise<string> {
  const near = join(dataDir, "hosts");
  if (new TextEncoder().encode(near).length <= longestPath) return near;
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(dataDir));
  return `/tmp/butterbase-hosts-${Deno.uid()}-${new Uint8Array(hash).toHex().slice(0, 16)}`;
}
