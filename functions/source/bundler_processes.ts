// The processes that a deploy starts: what each may read, what it is told, and what its end means.

import { AppError } from "../../core/errors.ts";
import { type PackageFate } from "./bundle_error.ts";
import { type BundlerFolders, registryEnvironment } from "./bundler_folders.ts";
import { JobProcess, type ProcessEnd } from "./run_process.ts";
import { sourceError } from "./source_position.ts";

/** What the processes of one deploy share. */
export interface Job {
  readonly signal: AbortSignal;
  readonly maxBundleBytes: number;
  /** Environment of the bundle process. */
  readonly env: Readonly<Record<string, string>>;
  /** Environment of the server, for where its own dependencies are. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Fetches what the check process is made of: nothing that the server itself loads needs the parser. */
export async function fetchChecker(
  cwd: string,
  { signal, environment }: Pick<Job, "signal" | "environment">,
): Promise<{ kind: "fetched" } | { kind: "failed"; said: string }> {
  await using process = new JobProcess({
    args: [
      "cache",
      "--quiet",
      "--no-lock",
      "--config",
      pathOf("../../deno.json"),
      pathOf("./check_process.ts"),
    ],
    cwd,
    env: { ...registryEnvironment(environment), ...serverFolders(environment), NO_COLOR: "1" },
    maxOutputBytes: 64 * 1024,
    signal,
  });
  const end = await process.ask("");
  if (end.kind === "exited" && end.code === 0) return { kind: "fetched" };
  return { kind: "failed", said: end.kind === "exited" ? end.stderr.slice(0, 4000) : "too much output" };
}

/** Starts the check process; it runs nobody's code, only reads it. */
export function startCheck(cwd: string, { signal, environment }: Job): JobProcess {
  return new JobProcess({
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-lock", "--no-remote", "--cached-only"],
      ...["--config", pathOf("../../deno.json"), "--allow-ffi", "--allow-read", "--allow-env"],
      pathOf("./check_process.ts"),
    ],
    cwd,
    env: serverFolders(environment),
    maxOutputBytes: 32 * 1024 * 1024,
    signal,
  });
}

/** Starts the bundle process, which may read its own folder and the npm cache. */
export function startBundling(
  cwd: string,
  { npmDir }: BundlerFolders,
  { signal, env, maxBundleBytes }: Job,
): JobProcess {
  return new JobProcess({
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-lock", "--no-remote", "--no-config", "--unstable-bundle"],
      `--allow-read=${cwd},${npmDir}`,
      pathOf("./bundle_process.ts"),
    ],
    cwd,
    env: { ...env, NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
    // The map holds the text of every package, so the answer is a few times as large as the bundle.
    maxOutputBytes: 5 * maxBundleBytes,
    signal,
  });
}

/** Finds out why a package could not be had: the bundler says the same of one that is missing and of no network. */
export async function fateOf(
  constraint: string,
  cwd: string,
  { signal, env }: Job,
): Promise<PackageFate | { kind: "fetched" }> {
  await using process = new JobProcess({
    args: ["cache", "--quiet", "--no-config", "--no-lock", "--no-remote", `npm:${constraint}`],
    cwd,
    env: { ...env, NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
    maxOutputBytes: 64 * 1024,
    signal,
  });
  const end = await process.ask("");
  if (end.kind === "exited" && end.code === 0) return { kind: "fetched" };
  const said = end.kind === "exited" ? end.stderr : "";
  const dependency = /parsing version requirement for dependency "[^"]*": "([^"]{1,300})"/.exec(said)?.[1];
  if (dependency !== undefined) return { kind: "outside_npm", dependency };
  return /does not exist|Could not find npm package|Could not find constraint|Invalid package/.test(said)
    ? { kind: "missing" }
    : { kind: "unreachable" };
}

/** The answer of a process of ours, or an error that says how it ended without one. */
export function answerOf<Answer>(code: string, end: ProcessEnd, step: "check" | "bundle"): Answer {
  if (end.kind === "too-much-output") throw tooLarge(code);
  if (end.kind === "exited" && end.code === 0) return JSON.parse(end.stdout) as Answer;
  // A stack overflow or a lack of memory ends the process by a signal; only the code can be why.
  if (end.signal !== null || /overflowed its stack|Maximum call stack|out of memory/.test(end.stderr)) {
    throw sourceError(code, {
      reason: "too_complex",
      message: `it is too deeply nested or too large to ${step}`,
      remediation: "Split deeply nested expressions, or import fewer packages.",
    });
  }
  throw new AppError(
    "INTERNAL_ERROR",
    `Cannot ${step} the code: the process for it ended with code ${end.code}`,
    {
      cause: new Error(end.stderr.slice(0, 4000)),
    },
  );
}

/** The error for a bundle above the limit. */
export function tooLarge(code: string): AppError {
  return sourceError(code, {
    reason: "bundle_too_large",
    message: "with its packages it is too large",
    remediation: "Import fewer or smaller packages.",
  });
}

/** Where Deno finds the server's own dependencies. */
function serverFolders(environment: Readonly<Record<string, string>>): Record<string, string> {
  const names = ["HOME", "DENO_DIR", "XDG_CACHE_HOME", "USERPROFILE", "LOCALAPPDATA", "SYSTEMROOT"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  }));
}

function pathOf(relative: string): string {
  return decodeURIComponent(new URL(relative, import.meta.url).pathname);
}
