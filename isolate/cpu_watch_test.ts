import assert from "node:assert/strict";
import { CpuWatch } from "./cpu_watch.ts";
import { usedCpuMs } from "./process_usage.ts";

/** A process that has used so much CPU, and uses no more. */
async function spent(cpuMs: number): Promise<{ pid: number } & Disposable> {
  const code = `const until = ${cpuMs}; const used = () => { const { user, system } = process.cpuUsage(); ` +
    `return (user + system) / 1000; }; process.stdin.once("data", () => { while (used() < until); }); `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", `import process from "node:process"; ${code}`],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const end = { pid: child.pid, [Symbol.dispose]: () => child.kill("SIGKILL") };
  await writer.write(new Uint8Array([10]));
  while ((usedCpuMs(child.pid) ?? 0) < cpuMs - 20) await new Promise((resolve) => setTimeout(resolve, 10));
  return end;
}

const niceness = (pid: number) => {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16];
};

Deno.test("a process over its fair share is put behind others, and calm again after ten seconds within it", async () => {
  using burner = await spent(1500);
  const watch = new CpuWatch(burner.pid, { cpuMs: 0 });
  watch.loaded();
  watch.look(0, { begun: 1, open: 1 });
  assert.equal(niceness(burner.pid), "0", "what it used before its module was loaded is forgotten");
  const busy = new CpuWatch(burner.pid, { cpuMs: 0 });
  busy.look(0, { begun: 1, open: 1 });
  assert.equal(niceness(burner.pid), "10");
  // It took long to load, and so would the next: it stays.
  assert.equal(busy.calmAgain(60_000), false);
  watch.lower(100);
  assert.deepEqual([watch.calmAgain(10_000), watch.calmAgain(10_101)], [false, true]);
  assert.equal(busy.breach, null, "without a budget nothing is too much");
});

Deno.test("CPU that is used while no run is open is somebody's who has gone", async () => {
  using burner = await spent(1500);
  const watch = new CpuWatch(burner.pid, { cpuMs: 0 });
  watch.look(0, { begun: 0, open: 0 });
  assert.equal(watch.worksIdle, true);
  const serving = new CpuWatch(burner.pid, { cpuMs: 0 });
  serving.look(0, { begun: 1, open: 0 });
  assert.equal(serving.worksIdle, false);
});
