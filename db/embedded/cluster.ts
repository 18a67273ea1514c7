// The database files in `<dataDir>/pgdata` and the owner's password beside them. A cluster is made under another name and
// gets its own when complete, so a start interrupted at any point leaves nothing that stops the next.

import { join } from "node:path";
import { Secret } from "../../core/config.ts";
import { AppError } from "../../core/errors.ts";
import type { Account } from "./account.ts";
import { isFolder, removeFolder } from "./binaries.ts";

export const clusterOwner = "butterbase_owner";
const majorVersion = "18";

export interface ClusterParts {
  dataDir: string;
  binaries: string;
  account: Account;
}

/** @returns the owner's password. */
export async function prepareCluster(parts: ClusterParts): Promise<Secret> {
  const { dataDir } = parts;
  const pgdata = join(dataDir, "pgdata");
  const passwordFile = join(dataDir, "postgres-password");
  await removeFolder(`${pgdata}.new`);
  if (await isFolder(pgdata)) {
    await checkVersion(pgdata);
    return new Secret(await readPassword(passwordFile));
  }
  const password = crypto.getRandomValues(new Uint8Array(32)).toHex();
  await writePassword(passwordFile, password);
  await initialise(`${pgdata}.new`, password, parts);
  await Deno.rename(`${pgdata}.new`, pgdata);
  return new Secret(password);
}

async function initialise(
  folder: string,
  password: string,
  { binaries, account }: ClusterParts,
): Promise<void> {
  await Deno.mkdir(folder, { mode: 0o700 });
  await account.own(folder);
  // initdb reads the password from a file; the folder it lies in is open to the account alone, and gone afterwards.
  const handover = await Deno.makeTempDir({ prefix: "butterbase-" });
  try {
    const file = join(handover, "password");
    await Deno.writeTextFile(file, password, { mode: 0o600 });
    await account.own(file);
    await account.own(handover);
    const { success, output } = await account.run(join(binaries, "bin", "initdb"), [
      `--pgdata=${folder}`,
      `--username=${clusterOwner}`,
      `--pwfile=${file}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--data-checksums",
    ]);
    if (!success) {
      throw new AppError("EXTERNAL_DB_ERROR", `Cannot make the embedded database: initdb says "${output}"`);
    }
  } finally {
    await removeFolder(handover);
  }
  // Only the unix socket, only with a password: what initdb adds for TCP and replication goes.
  await Deno.writeTextFile(join(folder, "pg_hba.conf"), "local all all scram-sha-256\n");
}

async function checkVersion(pgdata: string): Promise<void> {
  const version = (await Deno.readTextFile(join(pgdata, "PG_VERSION"))).trim();
  if (version === majorVersion) return;
  throw new AppError(
    "EXTERNAL_DB_ERROR",
    `Cannot start PostgreSQL ${majorVersion} on "${pgdata}": its files are of version ${version}`,
    { remediation: "Dump it with the version it is of and restore it into a new data folder." },
  );
}

async function readPassword(file: string): Promise<string> {
  try {
    return (await Deno.readTextFile(file)).trim();
  } catch (cause) {
    throw new AppError(
      "EXTERNAL_DB_ERROR",
      `Cannot read the password of the embedded database in "${file}"`,
      {
        cause,
        remediation: "Restore the file from the backup that the data folder came from.",
      },
    );
  }
}

/** Whole or not at all, and on the disk before the cluster that needs it. */
async function writePassword(file: string, password: string): Promise<void> {
  const unfinished = await Deno.open(`${file}.new`, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  await unfinished.write(new TextEncoder().encode(`${password}\n`));
  await unfinished.sync();
  unfinished.close();
  await Deno.rename(`${file}.new`, file);
}
