import assert from "node:assert/strict";
import type { Attack } from "./attack.ts";
import { attacks } from "./attacks.ts";
import { type Finding, report } from "./report.ts";
import type { Verdict } from "./run_attack.ts";

const attack = (kind: Attack["kind"]) => attacks.find((one) => one.kind === kind) as Attack;
const measured = { answeredMs: 320, goneMs: 10, memoryMib: 1 };
const nothing = { attacker: [], neighbour: [], operator: [] };
const tried = (kind: Attack["kind"], verdict: Partial<Verdict> = {}): Finding => ({
  attack: attack(kind),
  outcome: { kind: "tried", verdict: { faults: nothing, measured, ...verdict } },
});

Deno.test("a guarantee holds when nobody saw what must not be", () => {
  const { lines, holds } = report([tried("reach"), tried("spend")]);
  assert.equal(holds, true);
  assert.match(lines[0] ?? "", /^holds +/);
  assert.equal(lines.at(-1), "All 2 guarantees hold on this machine.");
});

Deno.test("what one of the three saw fails the guarantee, and is told with who saw it", () => {
  for (const who of ["attacker", "neighbour", "operator"] as const) {
    const { lines, holds } = report([tried("reach", { faults: { ...nothing, [who]: ["a leak"] } })]);
    assert.equal(holds, false);
    assert.match(lines[0] ?? "", /^DOES NOT HOLD +/);
    assert.ok(lines[1]?.endsWith(`${attack("reach").name}: the ${who}: a leak`), lines[1]);
  }
});

Deno.test("an answer or an end later than promised fails the guarantee of time", () => {
  for (const late of [{ answeredMs: 300 + 251 }, { answeredMs: 400, goneMs: 901 }]) {
    const { holds } = report([tried("spend", { measured: { ...measured, ...late } })]);
    assert.equal(holds, false, JSON.stringify(late));
  }
});

Deno.test("what cannot be tried here is told with why and what helps, and is not said to hold", () => {
  const untried = { kind: "untried", why: "there is no road", remedy: "build one" } as const;
  const { lines, holds } = report([tried("reach"), { attack: attack("spend"), outcome: untried }]);
  assert.equal(holds, true);
  const at = lines.findIndex((line) => line.startsWith("cannot be tested here"));
  assert.ok(lines[at + 1]?.endsWith("there is no road; build one"), lines.join("\n"));
  assert.match(lines.at(-1) ?? "", /^1 of 2 guarantees hold .* of 1 nobody knows/);
});
