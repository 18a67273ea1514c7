// The system account that PostgreSQL runs as: our own, or `nobody` when we are root, as which PostgreSQL refuses to run.
// What it must own is given to it, and it must be able to reach the data folder.

import { dirname } from "node:path";
import { AppError } from "../../core/errors.ts";

/** `ids` for Deno.Command: empty when PostgreSQL runs as we do. */
export interface Account {
  readonly ids: { uid?: number; gid?: number };
  /** Makes `path` the account's own. */
  own(path: string): Promise<void>;
  /** Runs a program to its end as the account. */
  run(program: string, args: string[]): Promise<{ success: boolean; output: string }>;
}

export async function findAccount(): Promise<Account> {
  const ids: Account["ids"] = Deno.uid() === 0 ? await nobody() : {};
  return {
    ids,
    own: async (path) => {
      if (ids.uid !== undefined && ids.gid !== undefined) await Deno.chown(path, ids.uid, ids.gid);
    },
    run: async (program, args) => {
      const command = new Deno.Command(program, {
        args,
        ...ids,
        cwd: "/",
        clearEnv: true,
        env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
      const { success, stdout, stderr } = await command.output();
      const decoder = new TextDecoder();
      return { success, output: (decoder.decode(stdout) + decoder.decode(stderr)).trim() };
    },
  };
}

async function nobody(): Promise<{ uid: number; gid: number }> {
  const accounts = await Deno.readTextFile("/etc/passwd");
  const fields = accounts.split("\n").find((line) => line.startsWith("nobody:"))?.split(":");
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  if (!(uid > 0) || !(gid > 0)) {
    throw new AppError(
      "EXTERNAL_DB_ERROR",
      'Cannot start the embedded PostgreSQL as root: no account "nobody"',
      {
        remediation: "Start the server as another user, or set DATABASE_URL.",
      },
    );
  }
  return { uid, gid };
}

/** @throws {AppError} naming the first folder on the way to `path` that the account may not enter. */
export async function checkReachable(path: string, account: Account): Promise<void> {
  for (const folder of foldersTo(path)) {
    const { success } = await account.run("/bin/sh", ["-c", 'cd "$1"', "sh", folder]);
    if (success) continue;
    throw new AppError(
      "EXTERNAL_DB_ERROR",
      `Cannot run PostgreSQL in "${path}": the account it runs as may not enter "${folder}"`,
      {
        remediation:
          `Run \`chmod o+x ${folder}\`, or set BUTTERBASE_DATA_DIR to a folder elsewhere, such as /var/lib/butterbase.`,
      },
    );
  }
}

function foldersTo(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...foldersTo(parent), path];
}
