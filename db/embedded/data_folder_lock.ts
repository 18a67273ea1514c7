// One server owns a data folder at a time: it holds a lock on a file there as long as its process lives. The system drops
// the lock with the process, however that ends, so there is never a stale one to remove.

import { join } from "node:path";
import { AppError } from "../../core/errors.ts";

/** @throws {AppError} RESOURCE_CONFLICT naming the process that has the folder. */
export async function lockDataFolder(dataDir: string): Promise<Disposable> {
  const path = join(dataDir, "lock");
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  if (!await file.tryLock(true)) {
    file.close();
    const holder = (await Deno.readTextFile(path)).trim();
    throw new AppError(
      "RESOURCE_CONFLICT",
      `Cannot use the data folder "${dataDir}": process ${holder} uses it`,
      {
        remediation: "Stop that server first, or set BUTTERBASE_DATA_DIR to another folder.",
      },
    );
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return { [Symbol.dispose]: () => file.close() };
}
