// Programs that never give the event loop back.

import type { SpendAttack } from "../attack.ts";

/** The deadline of these functions. */
const timeoutMs = 300;

function stuck(
  name: string,
  program: string,
  { imports = "", cpuMs = 20 }: { imports?: string; cpuMs?: number } = {},
): SpendAttack {
  return {
    kind: "spend",
    name,
    guarantee: "a function that holds its thread ends with its deadline, whatever it does",
    imports,
    program,
    needs: ["proc"],
    deploy: { timeoutMs },
    attacker: { status: 504, code: "FUNCTION_TIMEOUT" },
    operator: { error: /300 ms/, used: { cpuMs }, process: "gone" },
  };
}

export const time: readonly SpendAttack[] = [
  stuck("run in a loop", "while (true) {}"),
  stuck("storm with microtasks", "const spin = () => Promise.resolve().then(spin); await spin();"),
  stuck(
    "storm with queueMicrotask",
    "const spin = () => queueMicrotask(spin); spin(); await new Promise(() => {});",
  ),
  stuck("run a regular expression away", `/^(a+)+$/.test("a".repeat(40) + "b");`),
  stuck("sleep in Atomics.wait", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);", {
    cpuMs: 0,
  }),
  stuck(
    "derive a key for ever",
    `pbkdf2Sync("x", "y", 2_000_000_000, 64, "sha512");`,
    { imports: `import { pbkdf2Sync } from "node:crypto";` },
  ),
  stuck(
    "run in a loop of WASM",
    `new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11,
  ]))).exports.f();`,
  ),
];
