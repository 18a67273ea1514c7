import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "../harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

/** Programs that never give the event loop back. */
const loops: Record<string, string> = {
  "a loop": "while (true) {}",
  "a storm of microtasks": "const spin = () => Promise.resolve().then(spin); await spin();",
  "a runaway regular expression": `/^(a+)+$/.test("a".repeat(40) + "b");`,
  "Atomics.wait": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
  "a long key derivation": `pbkdf2Sync("x", "y", 2_000_000_000, 64, "sha512");`,
  "a loop in WASM": `new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11,
  ]))).exports.f();`,
};

/** Hosts that are not there any more, once that is so. */
async function gone(pids: number[]): Promise<boolean> {
  for (let look = 0; look < 100; look++) {
    if (!pids.some((pid) => p.platform.isolates.pids().includes(pid))) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

for (const [what, code] of Object.entries(loops)) {
  Deno.test(`${what} ends with its deadline: its process is gone, and the neighbour notices nothing`, async () => {
    const app = await p.createApp();
    const neighbour = await p.deploy(app, "neighbour", `export default () => new Response("fine")`);
    const url = await p.deploy(
      app,
      "stuck",
      `import { pbkdf2Sync } from "node:crypto";
      export default async function handler() { console.log("before"); ${code} return new Response("never"); }`,
      { timeoutMs: 300 },
    );
    await (await fetch(neighbour)).text();
    const before = new Set(p.platform.isolates.pids());
    const stuck = fetch(url);
    const beside = await fetch(neighbour);
    assert.equal(await beside.text(), "fine");
    const response = await stuck;
    assert.equal(response.status, 504);
    assert.equal((await response.json()).error.code, "FUNCTION_TIMEOUT");
    const [log] = await p.logs(app, "stuck");
    assert.equal(log.statusCode, 504);
    if (what !== "Atomics.wait") assert.ok(log.cpuMs > 20, `${log.cpuMs} ms of CPU are in the log`);
    assert.deepEqual(log.consoleLogs.map((entry: { message: string }) => entry.message), ["before"]);
    const after = p.platform.isolates.pids().filter((pid) => !before.has(pid));
    // Warm hosts that were started meanwhile stay; the stuck one does not.
    assert.ok(await gone(busy(after)), "the stuck process is still there");
    assert.equal((await fetch(neighbour)).status, 200);
  });
}

/** Those of the processes that burn CPU. */
function busy(pids: number[]): number[] {
  return pids.filter((pid) => {
    try {
      return /^State:\s+R/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
    } catch {
      return false;
    }
  });
}

/** Programs that take more memory than they may. */
const hoards: Record<string, string> = {
  "objects on the heap": "for (;;) kept.push({ a: [1, 2, 3] });",
  "buffers": "for (;;) kept.push(new Uint8Array(1e6).fill(1));",
  "one buffer beyond the limit": "kept.push(new Uint8Array(1e9).fill(1));",
  "WASM memory":
    "const m = new WebAssembly.Memory({ initial: 16, maximum: 60000 }); for (;;) { m.grow(160); new Uint8Array(m.buffer).fill(1); }",
  "strings": `for (let i = 0;; i++) kept.push(("x" + i).repeat(20000).split("").join(""));`,
  "blobs": "for (;;) { kept.push(new Blob([new Uint8Array(1e6).fill(1)])); await null; }",
};

for (const [what, code] of Object.entries(hoards)) {
  Deno.test(`a function that hoards ${what} gets FUNCTION_MEMORY_LIMIT, and its machine holds no more than its share`, async () => {
    const app = await p.createApp();
    const neighbour = await p.deploy(app, "neighbour", `export default () => new Response("fine")`);
    const url = await p.deploy(
      app,
      "hoard",
      `const kept = []; export default async function handler() { ${code} return new Response("never"); }`,
    );
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, ...p.platform.isolates.pids().map(peakMb))), 5);
    const response = await fetch(url);
    clearInterval(watch);
    assert.equal(response.status, 503);
    const { error } = await response.json();
    assert.equal(error.code, "FUNCTION_MEMORY_LIMIT");
    assert.match(error.message, /128 MiB/);
    assert.equal(error.details.memory_limit_mb, 128);
    // 128 for the function, 64 beyond it, and what an empty isolate takes itself.
    assert.ok(most < 128 + 64 + 80, `the process held ${most} MiB`);
    assert.equal((await fetch(neighbour)).status, 200);
    const [log] = await p.logs(app, "hoard");
    assert.equal(log.statusCode, 503);
    assert.match(log.error, /memory limit of 128 MiB/);
  });
}

function peakMb(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

Deno.test("a function within its limit is let be, although it holds most of it", async () => {
  const app = await p.createApp();
  const url = await p.deploy(
    app,
    "large",
    `let kept; export default () => { kept = new Uint8Array(100e6).fill(1); return new Response(String(kept.length)); }`,
  );
  assert.equal(await (await fetch(url)).text(), "100000000");
  const [log] = await p.logs(app, "large");
  assert.ok(log.memoryUsed > 80, `${log.memoryUsed} MiB are in the log`);
});
