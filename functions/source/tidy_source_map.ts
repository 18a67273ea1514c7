// Makes the bundler's source map fit to keep: it names only the developer's file and npm packages, holds no text of
// other people's code, and shows whether the bundler read a file that it must not.

import { decodedMappings, encodedMap, TraceMap } from "@jridgewell/trace-mapping";
import { isAbsolute, join, normalize, relative } from "node:path";

/** The developer's file in a tidied map. */
export const entrySource = "function.ts";

export interface TidyParts {
  /** Folder that the sources are relative to. */
  readonly workDir: string;
  /** File name of the developer's code in it. */
  readonly entry: string;
  /** Folder of the npm cache, where packages may be read from. */
  readonly npmDir: string;
}

export interface TidiedMap {
  readonly sourceMap: string;
  /** Packages in the bundle, as `npm:zod@4.6.7`, sorted. */
  readonly npmPackages: readonly string[];
  /** Files outside the npm cache that exist: they were read, or a package's own map says so. */
  readonly foreignFiles: readonly string[];
}

/**
 * Rewrites the map. A package's own map may name sources anywhere, so a path outside the cache counts as foreign only
 * when a file is there; names and texts from such maps are dropped, since they can come from any file.
 */
export async function tidySourceMap(text: string, parts: TidyParts): Promise<TidiedMap> {
  const map = new TraceMap(text);
  const places = map.sources.map((source) => placeOf(source ?? "", parts));
  const foreign = await Promise.all(
    places.map(async (place) => place.kind === "elsewhere" && await exists(place.file) ? [place.file] : []),
  );
  const mappings = decodedMappings(map).map((line) =>
    line.map((segment) =>
      segment.length === 5 ? segment.slice(0, 4) as [number, number, number, number] : segment
    )
  );
  const tidied = new TraceMap({
    version: 3,
    sources: places.map((place) => place.name),
    names: [],
    mappings,
  });
  const { version, sources, names, mappings: encoded } = encodedMap(tidied);
  return {
    sourceMap: JSON.stringify({ version, sources, names, mappings: encoded }),
    npmPackages: [...new Set(places.flatMap((place) => place.kind === "npm" ? [place.package] : []))].sort(),
    foreignFiles: foreign.flat(),
  };
}

type Place =
  | { kind: "entry"; name: string }
  | { kind: "npm"; name: string; package: string }
  | { kind: "elsewhere"; name: string; file: string };

function placeOf(source: string, { workDir, entry, npmDir }: TidyParts): Place {
  const file = isAbsolute(source) ? normalize(source) : join(workDir, source);
  if (file === join(workDir, entry)) return { kind: "entry", name: entrySource };
  const inCache = relative(npmDir, file).replaceAll("\\", "/");
  // <registry>/<package>/<version>/<path>; the package may have a scope.
  const match = /^[^/]+\/((?:@[^/]+\/)?[^/@.][^/]*)\/(\d[^/]*)\/(.+)$/.exec(inCache);
  if (match === null || inCache.startsWith("..")) return { kind: "elsewhere", name: "npm:unknown", file };
  const packageName = `npm:${match[1]}@${match[2]}`;
  return { kind: "npm", name: `${packageName}/${match[3]}`, package: packageName };
}

async function exists(file: string): Promise<boolean> {
  try {
    await Deno.lstat(file);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
      error instanceof Deno.errors.FilesystemLoop || error instanceof Deno.errors.InvalidData ||
      error instanceof TypeError);
  }
}
