import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { StackTraces } from "./stack_trace.ts";
import { entrySource } from "./tidy_source_map.ts";

// Line 1 of the bundle is line 3 of the developer's file, line 2 is line 9 of a package's.
const sourceMap = JSON.stringify({
  version: 3,
  sources: [entrySource, "npm:zod@4.6.7/v4/core.js"],
  names: [],
  mappings: "AAEQ;ACMA",
});

function map(
  stack: string,
  more: { sourceMap?: () => string | null; isBundle?: (file: string) => boolean } = {},
): string {
  return new StackTraces().map(stack, {
    version: "v1",
    sourceMap: () => sourceMap,
    displayName: "hello-world.ts",
    ...more,
  });
}

Deno.test("map() shows the developer's lines, packages and the runtime, and leaves the platform's out", () => {
  const stack = `Error: at first (blob:x:1:1)
  at night
    at handler (function:hello:1:1)
    at async Promise.all (index 0)
    at async inner (blob:null/1-2:2:5)
    at async function:hello:1:1
    at new Thing [as x] (function:hello:1:1)
    at fetch (ext:deno_fetch/26_fetch.js:1:1)
    at Array.map (<anonymous>)
    at node:internal/timers:1:1
    at run (file:///srv/isolate/worker/bootstrap.ts:10:3)
    at https://example.com/a.js:1:1`;
  equal(
    map(stack),
    `Error: at first (blob:x:1:1)
  at night
    at handler (hello-world.ts:3:9)
    at async Promise.all (index 0)
    at async inner (npm:zod@4.6.7/v4/core.js:9:9)
    at async hello-world.ts:3:9
    at new Thing [as x] (hello-world.ts:3:9)
    at fetch (ext:deno_fetch/26_fetch.js:1:1)
    at Array.map (<anonymous>)
    at node:internal/timers:1:1`,
  );
});

Deno.test("map() recognises the bundle as it is told to", () => {
  equal(
    map("    at a (data:text/javascript,1:1:1)", { isBundle: (file) => file.startsWith("data:") }),
    "    at a (hello-world.ts:3:9)",
  );
});

Deno.test("map() keeps the place in the bundle where there is no map or no original", () => {
  for (
    const broken of [() => null, () => "{", () => "null", () => '{"version":3,"sources":1,"mappings":2}']
  ) {
    match(map("    at a (blob:1:7:8)", { sourceMap: broken }), /hello-world\.ts \(bundled\):7:8/);
  }
  match(map("    at a (blob:1:99:1)"), /hello-world\.ts \(bundled\):99:1/);
  match(map("    at a (blob:1:0:0)"), /bundled\):0:0/);
  match(
    map("    at a (blob:1:1:1)", {
      sourceMap: () => {
        throw new Error("the store is away");
      },
    }),
    /bundled/,
  );
});

Deno.test("map() reads each version's source map once, and forgets the least used", () => {
  const traces = new StackTraces({ maxVersions: 2 });
  const read: string[] = [];
  for (const version of ["a", "b", "a", "c", "a", "b"]) {
    traces.map("    at x (blob:1:1:1)", {
      version,
      displayName: "f.ts",
      sourceMap: () => {
        read.push(version);
        return sourceMap;
      },
    });
  }
  deepEqual(read, ["a", "b", "c", "b"]);
});

Deno.test("map() caps what it returns", () => {
  const frames = "    at a (blob:1:1:1)\n".repeat(100_000);
  equal(map(`Error\n${frames}`).split("\n").length, 51);
  ok(map("x".repeat(1_000_000)).length <= 10_000);
  ok(map(`Error\n${"    at a (blob:1:1:1)\n".repeat(49)}`).length <= 10_000);
});

Deno.test("map() never throws, is quick and shows no file of the platform, whatever it is given", () => {
  const pieces = [
    "    at ",
    "async ",
    "(",
    ")",
    "blob:",
    "function:x",
    ":1:1",
    ":",
    "999999999",
    "\n",
    "eval at ",
    "<anonymous>",
    "\u0000",
    "😀",
    "  ",
    "file:///srv/a.ts:1:2",
    "((((",
    "node:",
  ];
  let state = 42;
  const next = (limit: number) => (state = (state * 1103515245 + 12345) % 2147483648) % limit;
  const started = performance.now();
  for (let round = 0; round < 5_000; round += 1) {
    const stack = Array.from({ length: next(40) }, () => pieces[next(pieces.length)]).join("");
    const mapped = map(stack);
    equal(typeof mapped, "string");
    doesNotMatch(mapped, /^ {4}at file:\/\/\/srv\/a\.ts:1:2$/m);
  }
  for (
    const hostile of [
      "    at " + "(".repeat(200_000),
      "    at " + ":1".repeat(200_000),
      " ".repeat(200_000),
      "    at a (".repeat(20_000),
    ]
  ) map(hostile);
  for (const none of [undefined, null, 1, {}]) equal(typeof map(none as unknown as string), "string");
  ok(performance.now() - started < 5_000);
});
