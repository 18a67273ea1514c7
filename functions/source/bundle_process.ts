// The bundle process: the entry's file name on standard input, one JSON answer on standard output.
// It runs `Deno.bundle()` and not `deno bundle`, because only the former keeps to read permissions: with the
// subcommand, an npm package can import any file of the server into the bundle.

export interface BundleMessage {
  readonly text: string;
  readonly location?: { readonly file: string; readonly line: number; readonly column: number } | null;
}

export type BundleAnswer =
  | { kind: "bundled"; bundle: string; sourceMap: string }
  | { kind: "failed"; errors: readonly BundleMessage[] };

async function bundle(entry: string): Promise<BundleAnswer> {
  const { success, errors, outputFiles = [] } = await Deno.bundle({
    entrypoints: [`./${entry}`],
    outputDir: Deno.cwd(),
    write: false,
    format: "esm",
    platform: "deno",
    packages: "bundle",
    sourcemap: "external",
    inlineImports: true,
    minify: false,
  });
  const textOf = (extension: string) => outputFiles.find(({ path }) => path.endsWith(extension))?.text();
  const [code, sourceMap] = [textOf(".js"), textOf(".js.map")];
  if (!success || code === undefined || sourceMap === undefined) return { kind: "failed", errors };
  return { kind: "bundled", bundle: code, sourceMap };
}

async function answer(): Promise<BundleAnswer> {
  const entry = await new Response(Deno.stdin.readable).text();
  try {
    return await bundle(entry);
  } catch (error) {
    return { kind: "failed", errors: [{ text: String(error) }] };
  }
}

if (import.meta.main) {
  await new Blob([JSON.stringify(await answer())]).stream().pipeTo(Deno.stdout.writable);
}
