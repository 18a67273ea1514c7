// The master key: given by the environment, or made at the first start and kept in the data folder, readable by nobody
// else. The database remembers which key it was first used with: another one would find every secret closed.

import { join } from "node:path";
import { Secret } from "../core/config.ts";
import { AppError } from "../core/errors.ts";
import { type Sealer, SealError } from "../core/sealing.ts";
import type { Sql } from "../db/mod.ts";
import { claimPlatformSetting } from "../db/queries/settings.ts";

const keyForm = /^[0-9a-f]{64}$/;
const checkPlace = "platform/master_key_check";

/** The key of the setting, or the data folder's own. */
export async function loadMasterKey(given: Secret | null, dataDir: string): Promise<Secret> {
  if (given !== null) return given;
  const path = join(dataDir, "master.key");
  try {
    return readKey(await Deno.readTextFile(path), path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const made = crypto.getRandomValues(new Uint8Array(32)).toHex();
  try {
    await Deno.writeTextFile(path, `${made}\n`, { mode: 0o600, createNew: true });
    return new Secret(made);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return readKey(await Deno.readTextFile(path), path);
  }
}

function readKey(text: string, path: string): Secret {
  const key = text.trim();
  if (keyForm.test(key)) return new Secret(key);
  throw new AppError(
    "RESOURCE_CONFLICT",
    `The master key in "${path}" is damaged: it must be 64 hexadecimal digits`,
    { remediation: "Restore the file from a backup." },
  );
}

/** @throws {AppError} when the database's secrets are sealed with another key; nothing is changed then. */
export async function checkMasterKey(sql: Sql, sealer: Sealer): Promise<void> {
  const check = await claimPlatformSetting(sql, "master_key_check", await sealer.seal("ok", checkPlace));
  try {
    await sealer.open(check, checkPlace);
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new AppError(
      "RESOURCE_CONFLICT",
      "The master key does not open this database's secrets: it was first used with another one",
      {
        cause: error,
        remediation: "Set BUTTERBASE_MASTER_KEY to that key, or restore master.key in the data folder.",
      },
    );
  }
}
