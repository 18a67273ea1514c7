import assert from "node:assert/strict";
import fc from "fast-check";
import { CpuBudget } from "./cpu_budget.ts";

Deno.test("a host that uses no more than its share each second is never overdrawn, however many runs are open", () => {
  const second = fc.record({
    began: fc.nat(50),
    open: fc.integer({ min: 1, max: 64 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(fc.property(fc.integer({ min: 1, max: 4000 }), fc.array(second), (cpuMs, seconds) => {
    const budget = new CpuBudget(cpuMs, { keptSeconds: 5 });
    for (const { began, open, share } of seconds) {
      budget.spend(cpuMs * open * share, { began, open, seconds: 1 });
      assert.equal(budget.overdrawn, false);
    }
  }));
});

Deno.test("a burst takes what was kept, and no more", () => {
  const budget = new CpuBudget(100, { keptSeconds: 5 });
  budget.spend(500, { began: 0, open: 1, seconds: 0 });
  assert.equal(budget.overdrawn, false);
  budget.spend(1, { began: 0, open: 1, seconds: 0 });
  assert.deepEqual([budget.overdrawn, budget.full, budget.usedPerSecond], [true, false, 501]);
});

Deno.test("what was kept does not grow beyond its seconds, also for many short runs", () => {
  const budget = new CpuBudget(100, { keptSeconds: 5 });
  for (let second = 0; second < 100; second++) budget.spend(0, { began: 1000, open: 1, seconds: 1 });
  assert.equal(budget.full, true);
  budget.spend(500 + 100 + 1, { began: 0, open: 1, seconds: 1 });
  assert.equal(budget.overdrawn, true);
});

Deno.test("a run that uses a whole CPU is overdrawn within its burst; use is told for each second", () => {
  const budget = new CpuBudget(200, { keptSeconds: 5 });
  let seconds = 0;
  budget.spend(0, { began: 1, open: 0, seconds: 0 });
  for (; !budget.overdrawn; seconds += 0.1) budget.spend(100, { began: 0, open: 1, seconds: 0.1 });
  assert.ok(seconds > 1.2 && seconds < 1.5, `${seconds}`);
  assert.ok(Math.abs(budget.usedPerSecond - 1000) <= 10, `${budget.usedPerSecond}`);
});
