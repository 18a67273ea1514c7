// Where PostgreSQL's unix socket stands. The system cuts socket paths off after some hundred bytes, so a data folder deep
// down gets a folder in the system's temporary one, the same at every start.

import { join } from "node:path";
import type { Account } from "./account.ts";

const socketName = ".s.PGSQL.5432";
/** The least of the systems' limits (macOS has 104 with the ending zero), with room for the `.lock` beside the socket. */
const longestPath = 97;

/** The folder, made and closed to everyone but the account. */
export async function prepareSocketFolder(dataDir: string, account: Account): Promise<string> {
  const folder = await socketFolder(dataDir);
  try {
    await Deno.mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    await refuseForeign(folder, account);
  }
  await Deno.chmod(folder, 0o700);
  await account.own(folder);
  return folder;
}

export function socketPath(folder: string): string {
  return join(folder, socketName);
}

async function socketFolder(dataDir: string): Promise<string> {
  const near = join(dataDir, "run");
  if (new TextEncoder().encode(socketPath(near)).length <= longestPath) return near;
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(dataDir));
  return `/tmp/butterbase-${Deno.uid()}-${new Uint8Array(hash).toHex().slice(0, 16)}`;
}

/** In a folder that anyone may write to, somebody else may have made ours first, to read what passes through it. */
async function refuseForeign(folder: string, { ids }: Account): Promise<void> {
  const { isDirectory, isSymlink, uid } = await Deno.lstat(folder);
  const expected = [ids.uid, Deno.uid()];
  if (!isDirectory || isSymlink || uid === null || !expected.includes(uid)) {
    throw new Error(`Cannot put PostgreSQL's socket into "${folder}": it belongs to somebody else`);
  }
}
