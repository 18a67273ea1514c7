// Who may import whom, over the real imports of every file: the table below, and docs/architecture.md shows the same one.
// What would break the direction is handed in as a function by main.ts.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { parseSync } from "oxc-parser";

/** Each top-level folder with the folders it may import besides itself. A new folder starts with a row here. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  db: ["core"],
  isolate: ["core"],
  apps: ["core", "db"],
  auth: ["core", "db"],
  functions: ["core", "db", "isolate", "apps", "auth"],
  data: ["core", "db", "apps"],
  routes: ["core", "apps", "auth", "functions", "data"],
  examples: [],
};

/** Folders without code of the platform: nothing imports them, and what their programs import is their own affair. */
const withoutRules = ["docs", "tests"];

const root = join(import.meta.dirname ?? "", "..");

interface Import {
  /** Paths from the repository's root. */
  readonly from: string;
  readonly to: string;
  /** Gone after compiling. The table counts it all the same: what is compiled against has to be understood. */
  readonly typeOnly: boolean;
}

/** Entries of the repository's root that are the project's own: not hidden, not what a tool put there. */
function topLevel(): Deno.DirEntry[] {
  return [...Deno.readDirSync(root)].filter(({ name }) => !name.startsWith(".") && name !== "node_modules");
}

function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(join(root, folder))].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? filesIn(path) : [path];
  });
}

/** Static imports, re-exports, and literal dynamic imports, of values and of types. */
function importsOf(path: string): { specifier: string; typeOnly: boolean }[] {
  const code = Deno.readTextFileSync(join(root, path));
  const { module, errors } = parseSync(path, code);
  assert.deepEqual(errors, [], `${path} cannot be parsed`);
  const found = module.staticImports.map(({ moduleRequest, entries }) => ({
    specifier: moduleRequest.value,
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
  }));
  for (const { moduleRequest, isType } of module.staticExports.flatMap(({ entries }) => entries)) {
    if (moduleRequest !== null) found.push({ specifier: moduleRequest.value, typeOnly: isType });
  }
  for (const [, specifier = ""] of code.matchAll(/\bimport\(\s*"([^"]+)"/g)) {
    found.push({ specifier, typeOnly: false });
  }
  return found;
}

const files = topLevel().flatMap(({ name, isDirectory }) => {
  if (isDirectory) return filesIn(name);
  return [name];
}).filter((path) => /\.tsx?$/.test(path));

/** The imports between the repository's own files. */
const imports: readonly Import[] = files.flatMap((path) =>
  importsOf(path).filter(({ specifier }) => specifier.startsWith(".")).map(({ specifier, typeOnly }) => ({
    from: path,
    to: join(dirname(path), specifier),
    typeOnly,
  }))
);
const folderOf = (path: string) => path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
const isTest = (path: string) => /(^|\/)(tests\/|[^/]*_test\.ts$|testing[^/]*\.ts$)/.test(path);
const shown = (wrong: readonly Import[]) => wrong.map(({ from, to }) => `${from} imports ${to}`);

Deno.test("every top-level folder has a row in the import table, and every row a folder", () => {
  const folders = topLevel().filter(({ name, isDirectory }) => isDirectory && filesIn(name).length > 0)
    .map(({ name }) => name);
  assert.deepEqual(folders.sort(), [...Object.keys(mayImport), ...withoutRules].sort());
});

Deno.test("folders import only what the table allows, also in tests and for types", () => {
  assert.ok(imports.length > 300, `only ${imports.length} imports were found: the reading is broken`);
  const wrong = imports.filter(({ from, to }) => {
    const [folder, target] = [folderOf(from), folderOf(to)];
    const row = mayImport[folder];
    return row !== undefined && folder !== target && !row.includes(target);
  });
  assert.deepEqual(shown(wrong), []);
});

Deno.test("nothing imports main.ts but tests of the whole", () => {
  const wrong = imports.filter(({ from, to }) => to === "main.ts" && folderOf(from) !== "tests");
  assert.deepEqual(shown(wrong), []);
});

Deno.test("what is made for tests is imported by tests only", () => {
  const wrong = imports.filter(({ from, to }) => isTest(to) && !isTest(from));
  assert.deepEqual(shown(wrong), []);
});

Deno.test("what runs in an isolate's process is made of isolate/protocol and two pages of core", () => {
  // That process holds user code, so no package and no secret may get there. Types of core may: they are not loaded.
  const part = (path: string) => /^isolate\/(host|worker|protocol)\//.exec(path)?.[1];
  const shared = (path: string) =>
    part(path) === "protocol" || path === "core/invocation.ts" || path === "core/quotas.ts";
  const loaded = (path: string) => !isTest(path) && (part(path) !== undefined || shared(path));
  const wrong = imports.filter(({ from, to, typeOnly }) => {
    if (!loaded(from) || shared(to) || typeOnly && folderOf(to) === "core") return false;
    return part(to) === undefined || part(to) !== part(from);
  });
  assert.deepEqual(shown(wrong), []);
  for (const path of files.filter(loaded)) {
    const packages = importsOf(path).filter(({ specifier }) => !/^(\.|node:)/.test(specifier));
    assert.deepEqual(packages, [], `${path} imports a package`);
  }
});

Deno.test("the rest of the platform knows db/ and isolate/ by their front doors", () => {
  const wrong = imports.filter(({ from, to }) => {
    const [folder, target] = [folderOf(from), folderOf(to)];
    if (folder === target || isTest(from)) return false;
    return target === "isolate" && to !== "isolate/mod.ts" ||
      target === "db" && to !== "db/mod.ts" && !to.startsWith("db/queries/");
  });
  assert.deepEqual(shown(wrong), []);
});

Deno.test("docs/architecture.md shows the same import table", async () => {
  const page = await Deno.readTextFile(join(root, "docs", "architecture.md"));
  const rows = [...page.matchAll(/^([a-z]+) +→ (.+)$/gm)].map(([, folder, targets]) => [
    folder,
    targets === "nothing of ours" ? [] : targets?.split(", "),
  ]);
  assert.deepEqual(Object.fromEntries(rows), mayImport);
});
