// Where the bundler keeps things and what it is told of the environment. Its npm cache is its own, so that nothing
// else of the server lies in the folder which packages may be read from.

import { join } from "node:path";
import { AppError } from "../../core/errors.ts";

export interface BundlerFolders {
  /** `DENO_DIR` of the bundler: the npm cache and the esbuild binary. */
  readonly denoDir: string;
  /** The only lasting folder that a bundle may be made from. */
  readonly npmDir: string;
  /** Holds one short-lived folder for each bundle being made. */
  readonly workDir: string;
}

/** Makes the folders below `cacheDir`, and answers their real paths: permissions do not follow links. */
export async function openFolders(cacheDir: string): Promise<BundlerFolders> {
  await Deno.mkdir(cacheDir, { recursive: true });
  const root = await Deno.realPath(cacheDir);
  // In a list of permissions, what follows a comma is another folder to be allowed.
  if (root.includes(",")) {
    throw new AppError("INTERNAL_ERROR", `Cannot bundle in "${root}": its path holds a comma`, {
      remediation: "Choose a data folder (BUTTERBASE_DATA_DIR) whose path holds no comma.",
    });
  }
  const denoDir = join(root, "deno");
  const folders = { denoDir, npmDir: join(denoDir, "npm"), workDir: join(root, "work") };
  await Deno.mkdir(folders.npmDir, { recursive: true });
  await Deno.mkdir(folders.workDir, { recursive: true });
  return folders;
}

/** A folder for one job that is gone when the job is. */
export async function openJobFolder(workDir: string): Promise<{ path: string } & AsyncDisposable> {
  // Packages are shown relative to this folder, so its depth must be the same each time.
  const path = join(workDir, crypto.randomUUID());
  await Deno.mkdir(path, { mode: 0o700 });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const registryVariable =
  /^(npm_config_.+|npm_token|node_auth_token|(https?|all|no)_proxy|ssl_cert_(file|dir)|deno_(cert|tls_ca_store)|node_extra_ca_certs|home|userprofile|localappdata|systemroot)$/i;

/** The part of an environment that reaching the npm registry takes; nothing else is passed on. */
export function registryEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => registryVariable.test(name)));
}
