import { deepEqual, equal, match, throws } from "node:assert/strict";
import { AppError } from "../../core/errors.ts";
import { checkSource } from "./check_source.ts";

interface Details {
  path: string;
  reason: string;
  line?: number;
  column?: number;
  text?: string;
}

function refusal(code: string): Details & { message: string; remediation: string } {
  try {
    checkSource(code);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    equal(error.code, "VALIDATION_INVALID_SCHEMA");
    equal((error.details as Details).path, "code");
    return { ...error.details as Details, message: error.message, remediation: error.remediation };
  }
  throw new Error(`not refused: ${code}`);
}

const handler = "\nexport default () => new Response();";

const accepted: Record<string, [code: string, form: string]> = {
  "a default function": ["export default function handler(r: Request) { return new Response() }", "default"],
  "an anonymous default function": ["export default async function () { return new Response() }", "default"],
  "a default arrow": ["export default async (r: Request) => new Response();", "default"],
  "a default identifier": [
    "const app = make(); function make() { return () => 1 }\nexport default app;",
    "default",
  ],
  "a default call": ["export default wrap(() => 1);\nfunction wrap<T>(t: T) { return t }", "default"],
  "a default object with fetch": ["export default { fetch() { return new Response() } };", "default"],
  "a default object with fetch as property": [
    'export default { "fetch": () => 1 } satisfies object;',
    "default",
  ],
  "a default object with a spread": ["const a = {}; export default { ...a };", "default"],
  "export { x as default }": ["function x() {} export { x as default };", "default"],
  "export async function handler": ["export async function handler() {}", "handler"],
  "export const handler": ["export const handler = async () => new Response();", "handler"],
  "a destructured handler": ["const app = { handler() {} }; export const { handler } = app;", "handler"],
  "export { x as handler }": ["const x = () => 1; export { x as handler };", "handler"],
  "a handler from npm": ['export { default } from "npm:hono@4";', "default"],
  "Deno.serve": ["Deno.serve(() => new Response());", "serve"],
  "Deno.serve with options": ["const s = Deno.serve({ port: 1 }, () => new Response()); s.unref();", "serve"],
};

for (const [name, [code, form]] of Object.entries(accepted)) {
  Deno.test(`checkSource() accepts ${name}`, () => equal(checkSource(code).handler, form));
}

Deno.test("checkSource() takes a default export over a handler and over Deno.serve", () => {
  equal(
    checkSource("export const handler = 1 as any; export default () => 1; Deno.serve(() => 1)").handler,
    "default",
  );
});

const noHandler: Record<string, [code: string, reason: string]> = {
  "nothing": ["", "missing_handler"],
  "the words in a comment": ["// export default function handler() {}\nconst a = 1;", "missing_handler"],
  "the words in a text": ['const a = "export default handler; Deno.serve()";', "missing_handler"],
  "another export": ["export const other = () => 1;", "missing_handler"],
  "a type named handler": [
    "export type handler = () => void; type X = 1; export type { X as default };",
    "missing_handler",
  ],
  "a default class": ["export default class Handler {}", "unusable_handler"],
  "a default number": ["export default 42;", "unusable_handler"],
  "a default text": ["export default ('x' as unknown);", "unusable_handler"],
  "a default object without fetch": ["export default { get() {} };", "unusable_handler"],
  "a handler class": ["export class handler {}", "unusable_handler"],
};

for (const [name, [code, reason]] of Object.entries(noHandler)) {
  Deno.test(`checkSource() refuses ${name} as a handler, with an example`, () => {
    const refused = refusal(code);
    equal(refused.reason, reason);
    match(refused.remediation, /export default async function handler/);
  });
}

const refusedImports: [code: string, reason: string, line: number, column: number][] = [
  ['import a from "./a.ts";', "relative_import", 1, 15],
  ['\n  import "../a.ts";', "relative_import", 2, 10],
  ['import a from "/etc/passwd";', "relative_import", 1, 15],
  ['export * from "./a.ts";', "relative_import", 1, 15],
  ['export { a } from ".";', "relative_import", 1, 19],
  ['import type { A } from "./a.ts";', "relative_import", 1, 24],
  ['const a = await import("./a.ts");', "relative_import", 1, 24],
  ["const a = await import(`./a.ts`);", "relative_import", 1, 24],
  ['const a = require("./a.json");', "relative_import", 1, 19],
  ['import a = require("./a");', "relative_import", 1, 20],
  ['import a from "file:///etc/passwd";', "file_import", 1, 15],
  ['import a from "data:text/javascript,1";', "inline_import", 1, 15],
  ['import a from "blob:null/1";', "inline_import", 1, 15],
  ['import a from "http://example.com/a.ts";', "remote_import", 1, 15],
  ['import a from "https://esm.sh/a";', "remote_import", 1, 15],
  ['import a from "HTTPS://esm.sh/a";', "remote_import", 1, 15],
  ['import a from "jsr:@std/path";', "jsr_import", 1, 15],
  ['import a from "ftp://a";', "unknown_import", 1, 15],
  ['import { z } from "zod";', "bare_import", 1, 19],
  ['import a from "@scope/a/b";', "bare_import", 1, 15],
  ['import a from "#a";', "bare_import", 1, 15],
  ['import a from "npm:";', "bad_npm_import", 1, 15],
  ['import a from "npm:../../etc/passwd";', "bad_npm_import", 1, 15],
  ['import a from "npm:a@1/../../b";', "bad_npm_import", 1, 15],
  ['import a from "npm:a/%2e%2e/b";', "bad_npm_import", 1, 15],
  ['import a from "node:nope";', "unknown_node_module", 1, 15],
  ['import a from "node:child_process";', "node_module_unavailable", 1, 15],
  ['import a from "child_process";', "node_module_unavailable", 1, 15],
  ['import a from "node:worker_threads";', "node_module_unavailable", 1, 15],
  ['import a from "node:sqlite";', "node_module_unavailable", 1, 15],
  ['import a from "npm:a" with { type: "json" };', "import_attributes", 1, 15],
  ['import a from "npm:a" with { type: "text" };', "import_attributes", 1, 15],
  ['import a from "npm:a" with { type: "bytes" };', "import_attributes", 1, 15],
  ['await import("npm:a", { with: { type: "json" } });', "import_attributes", 1, 14],
  ['const n = "a";\nawait import("npm:" + n);', "dynamic_import", 2, 14],
  ["const n = 'a'; await import(`npm:${n}`);", "dynamic_import", 1, 29],
  ['const n = "a"; require(n);', "dynamic_import", 1, 24],
  ['const a = require("npm:a");', "require", 1, 19],
  ['import a = require("node:fs");', "require", 1, 20],
  ["/** @jsxImportSource /etc */", "relative_import", 1, 5],
  ["/** @jsxImportSource preact */", "bare_import", 1, 5],
  ['/* 😀 */ const é = 1;\r\nimport a from "./a";', "relative_import", 2, 15],
  ['\uFEFFimport a from "./a";', "relative_import", 1, 15],
  ['const a = "😀"; import("./a");', "relative_import", 1, 24],
];

for (const [code, reason, line, column] of refusedImports) {
  Deno.test(`checkSource() refuses ${JSON.stringify(code)} at ${line}:${column}`, () => {
    const refused = refusal(code + handler);
    deepEqual([refused.reason, refused.line, refused.column], [reason, line, column]);
    match(refused.message, new RegExp(`line ${line}, column ${column}`));
  });
}

Deno.test("checkSource() tells how to write a bare import", () => {
  const refused = refusal(`import x from "zod";${handler}`);
  match(refused.message, /"zod"/);
  equal(refused.remediation, "Use `npm:zod`.");
  equal(refused.text, 'import x from "zod";');
});

const good: Record<string, string> = {
  "npm and node imports":
    'import a from "npm:zod@4.6.7/v4"; import b from "node:crypto"; import c from "fs/promises"; import d from "npm:@scope/a@^1";',
  "a type import": 'import type { A } from "npm:zod"; type B = import("./nowhere").B;',
  "literal dynamic imports": 'const a = () => import("npm:zod@4"); const b = () => import(`node:path`);',
  "require of a Node module": 'const a = require("node:path");',
  "import.meta.resolve": 'const a = import.meta.resolve("./x");',
  "imports named in texts and comments": 'const a = `import x from "./x"; require(y)`; // import("./z")',
  "an enum": "enum A { B, C }; const enum D { E }",
  "decorators": "function d(..._: unknown[]) {} @d class A { @d b = 1; @d accessor c = 2; @d m() {} }",
  "satisfies, as and casts": "const a = { b: 1 } satisfies object as unknown; const c = <string> a;",
  "generic arrows": "const a = <T>(t: T) => t;",
  "namespaces and overloads":
    "namespace A { export const b = 1 } function f(a: 1): 1; function f(a: 2): 2; function f(a: any) { return a }",
  "using":
    "async function f() { await using a = await g(); } declare function g(): Promise<AsyncDisposable>;",
  "top-level await": "await Promise.resolve();",
  "unicode": "const größe = '😀'; const 変数 = /\\p{L}+/v;",
  "plain JavaScript": "var a = function () { return a < 1 > (2) }; label: for (;;) break label;",
};

for (const [name, code] of Object.entries(good)) {
  Deno.test(`checkSource() accepts ${name}`, () => equal(checkSource(code + handler).language, "ts"));
}

Deno.test("checkSource() reads JSX as TSX", () => {
  const checked = checkSource(
    `/** @jsxImportSource npm:preact@10 */\nconst a = <b c="1">{"d"}</b>;${handler}`,
  );
  equal(checked.language, "tsx");
  equal(checked.imports[0]?.specifier, "npm:preact@10");
});

Deno.test("checkSource() gives line, column and text of a syntax error", () => {
  const refused = refusal('const ok = "😀";\r\n  const a = ;\r\n');
  deepEqual([refused.reason, refused.line, refused.column, refused.text], [
    "syntax_error",
    2,
    13,
    "  const a = ;",
  ]);
});

Deno.test("checkSource() reports a syntax error of JSX in its own place", () => {
  equal(refusal(`const a = <b>{"c"}</b>;\nconst d = ;`).line, 2);
});

Deno.test("checkSource() takes byte order mark and source map pointers out, and keeps all else in place", () => {
  const { code } = checkSource(
    `\uFEFFconst s = "sourceMappingURL=kept";${handler}\n//# sourceMappingURL=/etc/passwd`,
  );
  match(code, /^const s = "sourceMappingURL=kept";/);
  match(code, /\/\/# sourceMappingOff=\/etc\/passwd$/);
});

Deno.test("checkSource() checks a source of 1 MB within two seconds", () => {
  const lines = Array.from({ length: 25_000 }, (_, index) => `const v${index} = { b: ${index}, c: [1, 2] };`);
  const started = performance.now();
  equal(checkSource(lines.join("\n") + handler).handler, "default");
  equal(performance.now() - started < 2000, true);
});

Deno.test("checkSource() answers garbage with an AppError only", () => {
  const alphabet = [
    "import ",
    "export ",
    "default ",
    "{",
    "}",
    "(",
    ")",
    '"',
    "`",
    "${",
    "/*",
    "\\",
    "😀",
    "\u0000",
    "\n",
    "<a>",
    "npm:",
    "\uD800",
  ];
  for (let round = 0; round < 300; round += 1) {
    const code = Array.from(
      { length: 12 },
      (_, index) => alphabet[(round * 7 + index * (round + 3)) % alphabet.length],
    );
    try {
      checkSource(code.join(""));
    } catch (error) {
      equal(error instanceof AppError, true, String(error));
    }
  }
  throws(() => checkSource("\u0000"), AppError);
});
