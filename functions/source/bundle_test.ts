import { deepEqual, doesNotMatch, equal, match, ok, rejects } from "node:assert/strict";
import { AppError } from "../../core/errors.ts";
import { type PackageFiles, serveNpmRegistry } from "./_npm_registry.ts";
import { type BundledSource, type BundleOptions, bundleSource } from "./bundle.ts";
import { prepareBundler } from "./prepare_bundler.ts";
import { StackTraces } from "./stack_trace.ts";

// One npm cache for the file: each fresh one would fetch esbuild anew.
const cacheDir = await Deno.makeTempDir({ prefix: "bundle_test_" });
const environment = Deno.env.toObject();
const options: BundleOptions = { cacheDir, environment };
await prepareBundler(options);
addEventListener("unload", () => Deno.removeSync(cacheDir, { recursive: true }));

async function load(bundled: BundledSource): Promise<Record<string, (...args: unknown[]) => unknown>> {
  const url = URL.createObjectURL(new Blob([bundled.bundle], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function refusal(
  code: string,
  given: BundleOptions = options,
): Promise<AppError & { details: Details }> {
  try {
    await bundleSource(code, given);
  } catch (error) {
    if (error instanceof AppError) return error as AppError & { details: Details };
    throw error;
  }
  throw new Error(`not refused: ${code.slice(0, 200)}`);
}

interface Details {
  reason: string;
  line?: number;
  column?: number;
}

const greeting = `
interface Greeting { text: string }
enum Tone { Calm, Loud }
function dec(value: any, _: unknown) { return value }
class Greeter { @dec greet(): Greeting { return { text: "héllo 😀" } satisfies Greeting } }
export default function handler(_: Request): Response {
  if (Tone.Loud === 1) return new Response(new Greeter().greet().text);
  throw new Error("unreachable");
}`;

Deno.test("bundleSource() makes a module that answers", async () => {
  const bundled = await bundleSource(greeting, options);
  const { default: handler } = await load(bundled);
  equal(await (handler?.(new Request("http://a/")) as Response).text(), "héllo 😀");
  deepEqual([bundled.handler, bundled.npmPackages], ["default", []]);
  match(bundled.contentHash, /^[0-9a-f]{64}$/);
});

Deno.test("bundleSource() gives the same bundle and hash each time", async () => {
  const [one, other] = await Promise.all([bundleSource(greeting, options), bundleSource(greeting, options)]);
  deepEqual(one, other);
});

Deno.test("bundleSource() names no folder of the server outside its cache", async () => {
  const { bundle, sourceMap } = await bundleSource(
    'import { z } from "npm:zod@4.6.7";\nexport default () => z;',
    options,
  );
  for (const text of [bundle, sourceMap]) ok(!text.includes(cacheDir) && !text.includes("bundle_test_"));
});

Deno.test("bundleSource() puts npm packages inside", async () => {
  const code = 'import { z } from "npm:zod@4.6.7";\nexport const handler = () => z.string().parse("in");';
  const bundled = await bundleSource(code, options);
  equal((await load(bundled)).handler?.(), "in");
  deepEqual(bundled.npmPackages, ["npm:zod@4.6.7"]);
  doesNotMatch(bundled.bundle, /^import .*npm:/m);
});

Deno.test("bundleSource() compiles JSX with the import source that the code names", async () => {
  const code = "/** @jsxImportSource npm:preact@10.29.8 */\nexport default () => <p>hi</p>;";
  const { default: handler } = await load(await bundleSource(code, options));
  equal((handler?.() as { type: string }).type, "p");
});

Deno.test("a bundle that requires Node's modules loads from a blob", async () => {
  const code = 'const path = require("node:path");\nexport default () => path.basename("/a/b");';
  equal((await load(await bundleSource(code, options))).default?.(), "b");
});

Deno.test("bundleSource() bundles code that calls Deno.serve and exports nothing", async () => {
  equal((await bundleSource("Deno.serve(() => new Response());", options)).handler, "serve");
});

Deno.test("bundleSource() reports what the check finds, with its place", async () => {
  const { details, message } = await refusal('\n import a from "./a";\nexport default a;');
  deepEqual([details.reason, details.line, details.column], ["relative_import", 2, 16]);
  match(message, /"\.\/a"/);
});

Deno.test("bundleSource() survives code that overflows the stack of the parser or of the bundler", async () => {
  const nested = (depth: number) =>
    `const deep = ${"(".repeat(depth)}1${")".repeat(depth)};\nexport default () => deep;`;
  for (const depth of [3_000, 200_000]) equal((await refusal(nested(depth))).details.reason, "too_complex");
});

const unresolved: Record<string, [code: string, reason: string, line: number, column: number]> = {
  "a package that does not exist": [
    '\n\n  import a from "npm:nope-does-not-exist-xyz-1";\nexport default a;',
    "package_not_found",
    3,
    17,
  ],
  "a version that does not exist": [
    'import { z } from "npm:zod@99.0.0";\nexport default z;',
    "package_not_found",
    1,
    19,
  ],
  "a missing package imported later": [
    'export default () =>\n  import("npm:nope-does-not-exist-xyz-1");',
    "package_not_found",
    2,
    10,
  ],
  "a path that a package lacks": [
    'import a from "npm:zod@4.6.7/nope";\nexport default a;',
    "unresolved_import",
    1,
    15,
  ],
  "a name that a package lacks": [
    'import { nope } from "npm:zod@4.6.7";\nexport default nope;',
    "unresolved_import",
    1,
    22,
  ],
};

for (const [name, [code, reason, line, column]] of Object.entries(unresolved)) {
  Deno.test(`bundleSource() refuses ${name} at ${line}:${column}`, async () => {
    const { code: named, details } = await refusal(code);
    deepEqual([named, details.reason, details.line, details.column], [
      "VALIDATION_INVALID_SCHEMA",
      reason,
      line,
      column,
    ]);
  });
}

Deno.test("bundleSource() says so when the registry does not answer", async () => {
  const { status, message, details } = await refusal('import a from "npm:hono@4.0.0";\nexport default a;', {
    cacheDir,
    environment: { ...environment, NPM_CONFIG_REGISTRY: "http://127.0.0.1:9" },
  });
  deepEqual([status, details.reason], [503, "registry_unreachable"]);
  match(message, /registry does not answer/);
});

Deno.test("bundleSource() stops at its deadline, when cancelled, and at its size limit", async () => {
  const { details } = await refusal(greeting, { ...options, timeoutMs: 5 });
  equal(details.reason, "bundle_timeout");
  const cancel = new AbortController();
  const bundling = bundleSource(greeting, { ...options, signal: cancel.signal });
  cancel.abort(new Error("nobody waits"));
  await rejects(bundling, /nobody waits/);
  equal((await refusal(greeting, { ...options, maxBundleBytes: 100 })).details.reason, "bundle_too_large");
});

Deno.test("bundleSource() leaves nothing behind but its cache", async () => {
  await bundleSource(greeting, options);
  deepEqual([...Deno.readDirSync(`${cacheDir}/work`)].map(({ name }) => name), []);
});

Deno.test("prepareBundler() says what lacks when the bundler cannot work", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const broken = {
      cacheDir: dir,
      environment: { ...environment, NPM_CONFIG_REGISTRY: "http://127.0.0.1:9" },
    };
    await rejects(prepareBundler(broken), /Cannot prepare the bundler/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("bundleSource() refuses a cache folder whose path would allow other folders to be read", async () => {
  const dir = await Deno.makeTempDir({ suffix: ",odd" });
  try {
    await rejects(bundleSource(greeting, { ...options, cacheDir: dir }), /holds a comma/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("an error in a bundle with packages shows the developer's line", async () => {
  const code = `import { z } from "npm:zod@4.6.7";

interface Gone { a: 1 }

export default function handler() {
  z.string().parse("fine");
  throw new TypeError("boom");
}`;
  const bundled = await bundleSource(code, options);
  const { default: handler } = await load(bundled);
  const stack = await Promise.resolve().then(() => handler?.()).then(
    () => "",
    (error: Error) => error.stack ?? "",
  );
  const mapped = new StackTraces().map(stack, {
    version: bundled.contentHash,
    sourceMap: () => bundled.sourceMap,
    displayName: "hello-world.ts",
  });
  match(mapped, /^TypeError: boom\n {4}at .*handler \(hello-world\.ts:7:9\)/);
  doesNotMatch(mapped, /bundle_test/);
});

const secret = "S3CRET";

/** Every way known to ask the bundler for a file of the server from inside a package. */
function thefts(dir: string): PackageFiles {
  const files: Record<string, string> = {
    "parent.js": `module.exports = require("${"../".repeat(24)}${dir.slice(1)}/file.json");`,
    "url.mjs": `import a from "file://${dir}/file.json" with { type: "json" }; export default a;`,
    "map.js": `module.exports = 1;\n//# sourceMappingURL=${dir}/file.map`,
    "mapped.mjs": `export default () => 1;\n//# sourceMappingURL=data:application/json,${
      encodeURIComponent(
        JSON.stringify({ version: 3, sources: [`${dir}/plain`], names: [], mappings: "AAAA" }),
      )
    }`,
    "glob.js": `module.exports = (a) => require("${"../".repeat(24)}${dir.slice(1)}/" + a);`,
    "globjson.js": `module.exports = (a) => require("${"../".repeat(24)}${dir.slice(1)}/" + a + ".json");`,
    "style.js": 'require("./style.css");',
    "style.css": `@import "${dir}/file.css";`,
    "link": `-> ${dir}/plain`,
    "linked.js": 'module.exports = require("./link");',
    "data.mjs": `import a from 'data:text/javascript,import a from "${dir}/plain"'; export default a;`,
  };
  for (
    const target of ["plain", "file.js", "file.json", "file.txt", "file.css", "file.wasm", "file.key", ".env"]
  ) {
    const path = `${dir}/${target}`;
    files[`${target}.require.js`] = `module.exports = require("${path}");`;
    files[`${target}.import.mjs`] = `import * as a from "${path}"; export default a;`;
    files[`${target}.later.mjs`] = `export default () => import("${path}");`;
    for (const type of ["json", "text", "bytes"]) {
      files[`${target}.${type}.mjs`] = `import a from "${path}" with { type: "${type}" }; export default a;`;
    }
  }
  const exported = Object.fromEntries(Object.keys(files).map((path) => [`./${path}`, `./${path}`]));
  const scripts = {
    preinstall: `touch ${dir}/ran`,
    postinstall: `touch ${dir}/ran`,
    install: `touch ${dir}/ran`,
  };
  return { ...files, "package.json": JSON.stringify({ exports: exported, scripts }) };
}

Deno.test("no npm package gets a file of the server into a bundle, and none runs a script", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "secret_" });
  try {
    const json = JSON.stringify({ [secret]: secret });
    const contents: Record<string, string> = {
      "plain": secret,
      ".env": secret,
      "file.js": `module.exports = "${secret}";`,
      "file.json": json,
      "file.txt": secret,
      "file.key": secret,
      "file.wasm": secret,
      "file.css": `a { color: ${secret} }`,
      "file.map": JSON.stringify({
        version: 3,
        sources: [secret],
        sourcesContent: [secret],
        names: [secret],
        mappings: "AAAAA",
      }),
    };
    for (const [name, text] of Object.entries(contents)) await Deno.writeTextFile(`${dir}/${name}`, text);
    const files = thefts(dir);
    await using registry = serveNpmRegistry({ thief: files });
    const given = { cacheDir, environment: { ...environment, NPM_CONFIG_REGISTRY: registry.url } };
    for (const path of Object.keys(files)) {
      await t.step(path, async () => {
        const code = `import * as a from "npm:thief/${path}";\nexport default () => a;`;
        const said = await bundleSource(code, given).catch((error) => {
          if (!(error instanceof AppError)) throw error;
          equal(error.code, "VALIDATION_INVALID_SCHEMA", error.message);
          return { message: error.message, details: error.details, remediation: error.remediation };
        });
        const text = JSON.stringify(said);
        ok(!text.includes(secret) && !text.includes(btoa(secret).slice(0, 6)), text.slice(0, 2000));
        if (!("bundle" in said)) ok(!text.includes(dir), text);
      });
    }
    await rejects(Deno.stat(`${dir}/ran`), Deno.errors.NotFound);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("nothing that a package names by URL is fetched, and the error says what it names", async () => {
  const asked: string[] = [];
  await using other = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    asked.push(request.url);
    return new Response("export default 1;", { headers: { "content-type": "text/javascript" } });
  });
  const url = `http://127.0.0.1:${other.addr.port}`;
  const module = (code: string, more: object = {}): PackageFiles => ({
    "package.json": JSON.stringify({ type: "module", main: "index.js", ...more }),
    "index.js": code,
  });
  await using registry = serveNpmRegistry({
    "by-archive": module("export default 1;", { dependencies: { x: `${url}/x.tgz` } }),
    "by-git": module("export default 1;", { dependencies: { x: `git+${url}/x.git` } }),
    "by-import": module(`import x from "${url}/x.js"; export default x;`),
    "by-dynamic-import": module(`export default () => import("${url}/x.js");`),
    "by-imports-map": module('import x from "#x"; export default x;', { imports: { "#x": `${url}/x.js` } }),
  });
  const given = { cacheDir, environment: { ...environment, NPM_CONFIG_REGISTRY: registry.url } };
  const refusals: Record<string, [reason: string, names: string]> = {
    "by-archive": ["dependency_outside_npm", `${url}/x.tgz`],
    "by-git": ["dependency_outside_npm", `git+${url}/x.git`],
    "by-import": ["remote_import", "npm:by-import@1.0.0"],
    "by-dynamic-import": ["remote_import", "npm:by-dynamic-import@1.0.0"],
    "by-imports-map": ["bundle_failed", "npm:by-imports-map@1.0.0"],
  };
  for (const [name, [reason, named]] of Object.entries(refusals)) {
    const error = await refusal(`import x from "npm:${name}@1.0.0";\nexport default () => x;`, given);
    equal(error.details.reason, reason, name);
    ok(error.message.includes(named), error.message);
  }
  deepEqual(asked, []);
});
