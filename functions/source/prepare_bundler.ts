// Has the bundler fetch its own parts (a parser and esbuild, from npm) and compile its programs, so that the first deploy need not.

import { AppError } from "../../core/errors.ts";
import { type BundleOptions, bundleSource } from "./bundle.ts";
import { fetchChecker } from "./bundler_processes.ts";

/**
 * Bundles a small function; call it in the background when the server starts.
 * @throws AppError `INTERNAL_ERROR` that tells the operator what deploys lack.
 */
export async function prepareBundler(options: BundleOptions): Promise<void> {
  const { cacheDir, environment, timeoutMs = 120_000 } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  try {
    await Deno.mkdir(cacheDir, { recursive: true });
    const fetched = await fetchChecker(cacheDir, { signal, environment });
    if (fetched.kind === "failed") throw new Error(fetched.said);
    await bundleSource("export default () => new Response();", options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new AppError(
      "INTERNAL_ERROR",
      `Cannot prepare the bundler in "${cacheDir}": functions cannot be deployed until it works`,
      {
        cause: error,
        remediation:
          "Let the server reach the npm registry (NPM_CONFIG_REGISTRY) once, and write to that folder and to DENO_DIR.",
      },
    );
  }
}
