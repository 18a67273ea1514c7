// Programs that take more memory than they may, each of another kind.

import { memoryLimitMb, type SpendAttack } from "../attack.ts";

function hoard(name: string, program: string): SpendAttack {
  return {
    kind: "spend",
    name,
    guarantee: "memory of every kind stays within memoryLimitMb and 64 MiB more",
    needs: ["proc"],
    imports: "const kept = [];",
    program,
    attacker: { status: 503, code: "FUNCTION_MEMORY_LIMIT" },
    operator: { error: new RegExp(`memory limit of ${memoryLimitMb} MiB`), process: "gone" },
  };
}

/** No attack: what is within the limit must not be taken for one. */
const withinLimit: SpendAttack = {
  kind: "spend",
  name: "hold most of what it may",
  guarantee: "a function within its memory limit is let be",
  needs: ["proc"],
  imports: "const kept = [];",
  program: `kept.push(new Uint8Array(100e6).fill(1)); return new Response("held");`,
  attacker: { status: 200, body: /^held$/ },
  operator: { error: null, used: { memoryUsed: 80 }, process: "stays" },
};

export const memory: readonly SpendAttack[] = [
  withinLimit,
  hoard("hoard objects on the heap", "for (;;) kept.push({ a: [1, 2, 3] });"),
  hoard("hoard buffers", "for (;;) kept.push(new Uint8Array(1e6).fill(1));"),
  hoard("take one buffer beyond the limit", "kept.push(new Uint8Array(1e9).fill(1)); return new Response();"),
  hoard(
    "grow WASM memory",
    `const memory = new WebAssembly.Memory({ initial: 16, maximum: 60000 });
  for (;;) { memory.grow(160); new Uint8Array(memory.buffer).fill(1); }`,
  ),
  hoard("hoard strings", `for (let i = 0;; i++) kept.push(("x" + i).repeat(20000).split("").join(""));`),
  hoard("hoard blobs", "for (;;) { kept.push(new Blob([new Uint8Array(1e6).fill(1)])); await null; }"),
];
