// Makes one self-contained module of a function's code: checked, with its npm packages inside, and with no import
// left but Node's own modules. Everything that reads the developer's code runs in processes of its own, and the one
// that bundles can read the npm cache and nothing else; no install scripts run.

import { AppError } from "../../core/errors.ts";
import { bundleError, foreignFileError, missingConstraint, packageError } from "./bundle_error.ts";
import { type BundleAnswer } from "./bundle_process.ts";
import { type BundlerFolders, openFolders, openJobFolder, registryEnvironment } from "./bundler_folders.ts";
import { answerOf, fateOf, type Job, startBundling, startCheck, tooLarge } from "./bundler_processes.ts";
import { type CheckAnswer } from "./check_process.ts";
import { type CheckedSource } from "./check_source.ts";
import { type HandlerForm } from "./find_handler.ts";
import { type ProcessEnd } from "./run_process.ts";
import { sourceError } from "./source_position.ts";
import { type TidiedMap, tidySourceMap } from "./tidy_source_map.ts";
import { verifyBundle, withPortableRequire } from "./verify_bundle.ts";

export interface BundleOptions {
  /** Folder for the bundler's npm cache and short-lived files; it must hold nothing else. */
  readonly cacheDir: string;
  /** Environment to take registry and proxy settings from; everything else in it stays here. */
  readonly environment: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Longest time that checking and bundling may take together. */
  readonly timeoutMs?: number;
  /** Largest bundle to accept, in bytes of UTF-8. */
  readonly maxBundleBytes?: number;
}

export interface BundledSource {
  readonly bundle: string;
  /** Source map of the bundle, for `StackTraces`. */
  readonly sourceMap: string;
  /** SHA-256 of the bundle, in hexadecimal. */
  readonly contentHash: string;
  /** Which form of handler the code has: what the worker calls. */
  readonly handler: HandlerForm;
  /** npm packages inside, as `npm:zod@4.6.7`. */
  readonly npmPackages: readonly string[];
}

const defaultTimeoutMs = 60_000;
const defaultMaxBundleBytes = 20 * 1024 * 1024;

/**
 * Checks and bundles a function's code.
 * @throws AppError `VALIDATION_INVALID_SCHEMA` when the code is at fault, with `line` and `column` in its details;
 * `INTERNAL_ERROR` (503) when the npm registry does not answer.
 */
export async function bundleSource(code: string, options: BundleOptions): Promise<BundledSource> {
  const { timeoutMs = defaultTimeoutMs, maxBundleBytes = defaultMaxBundleBytes } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  try {
    const folders = await openFolders(options.cacheDir);
    return await bundleIn(folders, code, {
      signal,
      maxBundleBytes,
      env: { ...registryEnvironment(options.environment), DENO_DIR: folders.denoDir },
      environment: options.environment,
    });
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    if (!deadline.aborted) throw error;
    throw sourceError(code, {
      reason: "bundle_timeout",
      message: `it was not bundled within ${timeoutMs} ms`,
      remediation: "Import fewer or smaller packages, then try again.",
    });
  }
}

async function bundleIn(folders: BundlerFolders, code: string, job: Job): Promise<BundledSource> {
  await using folder = await openJobFolder(folders.workDir);
  // Both start now, so that the second has loaded by the time the first has its answer.
  await using checking = startCheck(folder.path, job);
  await using bundling = startBundling(folder.path, folders, job);
  const checked = checkedSource(code, await checking.ask(code));
  const entry = `function.${checked.language}`;
  await Deno.writeTextFile(`${folder.path}/${entry}`, checked.code);
  let answer = bundleAnswer(code, await bundling.ask(entry), job);
  const constraint = answer.kind === "failed" ? missingConstraint(answer.errors) : null;
  if (constraint !== null && answer.kind === "failed") {
    const fate = await fateOf(constraint, folder.path, job);
    if (fate.kind !== "fetched") {
      throw packageError(constraint, fate, {
        code: checked.code,
        imports: checked.imports,
        errors: answer.errors,
        npmDir: folders.npmDir,
      });
    }
    await using again = startBundling(folder.path, folders, job);
    answer = bundleAnswer(code, await again.ask(entry), job);
  }
  return await finished(answer, checked, { workDir: folder.path, entry, npmDir: folders.npmDir });
}

async function finished(
  answer: BundleAnswer,
  checked: CheckedSource,
  place: { workDir: string; entry: string; npmDir: string },
): Promise<BundledSource> {
  if (answer.kind === "failed") {
    throw bundleError({ ...checked, errors: answer.errors, npmDir: place.npmDir });
  }
  const { sourceMap, npmPackages } = await ownFilesOnly(checked, tidySourceMap(answer.sourceMap, place));
  const bundle = withPortableRequire(answer.bundle);
  const verdict = await verifyBundle(bundle, checked.handler);
  if (verdict.kind === "unsound") {
    throw sourceError(checked.code, {
      reason: "unsound_bundle",
      message: `once bundled, ${verdict.problem}`,
      remediation: "Leave out the package that does this, or use another version of it.",
    });
  }
  return { bundle, sourceMap, npmPackages, handler: checked.handler, contentHash: await sha256(bundle) };
}

/** Refuses a bundle with anything in it that is neither the developer's file nor of the npm cache. */
async function ownFilesOnly(checked: CheckedSource, tidying: Promise<TidiedMap>): Promise<TidiedMap> {
  const tidied = await tidying;
  if (tidied.foreignFiles.length > 0) throw foreignFileError(checked.code);
  return tidied;
}

function checkedSource(code: string, end: ProcessEnd): CheckedSource {
  const answer = answerOf<CheckAnswer>(code, end, "check");
  if (answer.kind === "checked") return answer.checked;
  const { message, details, remediation } = answer;
  throw new AppError("VALIDATION_INVALID_SCHEMA", message, { details, remediation });
}

function bundleAnswer(code: string, end: ProcessEnd, { maxBundleBytes }: Job): BundleAnswer {
  const answer = answerOf<BundleAnswer>(code, end, "bundle");
  if (answer.kind === "bundled" && new TextEncoder().encode(answer.bundle).length > maxBundleBytes) {
    throw tooLarge(code);
  }
  return answer;
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}
