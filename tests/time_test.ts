// Calls of one function that share an isolate, when one of them holds its thread or uses more CPU than it may: who is told
// what, who gets to finish, and who runs elsewhere.

import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_WARM_HOSTS: "2" });
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A function whose calls do what `?do=` says; `pid` warms it up. */
async function deployed(
  ways: Record<string, string>,
  options: Record<string, unknown> = {},
  on: TestPlatform = p,
): Promise<{ app: string; call(what: string): Promise<Answer>; pid: number }> {
  const app = await on.createApp();
  const url = await on.deploy(
    app,
    "probe",
    `import process from "node:process";
    const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const compute = (ms: number) => { const until = Date.now() + ms; while (Date.now() < until); };
    const begun: string[] = [];
    const ways: Record<string, (ctx: any) => Promise<unknown>> = {
      async pid() { return process.pid; },
      async begun() { return begun; },
      ${Object.entries(ways).map(([name, body]) => `async ${name}(ctx: any) {\n${body}\n},`).join("\n")}
    };
    export default async function handler(req: Request, ctx: any): Promise<Response> {
      const what = new URL(req.url).searchParams.get("do") ?? "";
      begun.push(what);
      return Response.json(await ways[what.split("-")[0]](ctx) ?? "done");
    }`,
    options,
  );
  const call = async (what: string): Promise<Answer> => {
    const response = await fetch(`${url}?do=${what}`);
    const body = await response.json();
    return { id: String(response.headers.get("x-request-id")), status: response.status, body };
  };
  return { app, call, pid: (await call("pid")).body };
}

interface Answer {
  id: string;
  status: number;
  // deno-lint-ignore no-explicit-any -- what a function answers is what a test looks at.
  body: any;
}

const told = ({ status, body }: Answer) => [status, body.error?.code, body.error?.details];

async function rowOf(app: string, { id }: Answer, on: TestPlatform = p) {
  for (let tries = 0; tries < 100; tries++) {
    const row = (await on.logs(app, "probe")).find((line) => line.id === id);
    if (row !== undefined) return row;
    await sleep(50);
  }
  throw new Error(`No log row ${id}`);
}

async function gone(pid: number, on: TestPlatform = p): Promise<void> {
  for (let tries = 0; on.platform.isolates.pids().includes(pid); tries++) {
    assert.ok(tries < 300, `the isolate host ${pid} is still there`);
    await sleep(50);
  }
}

/** Niceness of each thread. */
function niceness(pid: number): number[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => {
    const stat = Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  });
}

const held = { held_by_another_call: true };
const loops: [what: string, body: string][] = [
  ["after a timer", "await sleep(800); for (;;);"],
  ["after an answer of the database", `await sleep(800); await ctx.db.query("select 1"); for (;;);`],
  ["by microtasks", "await sleep(800); for (;;) await null;"],
];
for (const [what, loop] of loops) {
  Deno.test(`a call that loops ${what} is blamed, and those beside it are told that it was another`, async () => {
    const { app, call, pid } = await deployed({
      loop,
      timer: "await sleep(60_000);",
      query: `await ctx.db.query("select pg_sleep(60)");`,
      busy: "for (;;) await sleep(1);",
    }, { timeoutMs: 1200 });
    const culprit = call("loop");
    await sleep(600);
    const innocents = await Promise.all([call("timer"), call("query"), call("busy")]);
    assert.deepEqual(told(await culprit), [504, "FUNCTION_TIMEOUT", { timeout_ms: 1200 }]);
    for (const innocent of innocents) {
      assert.deepEqual(told(innocent), [502, "FUNCTION_CRASHED", held]);
      assert.match((await rowOf(app, innocent)).error, /another call held its isolate/);
    }
    assert.match((await rowOf(app, await culprit)).error, /did not answer within 1200 ms$/);
    await gone(pid);
  });
}

Deno.test("a call that computes past the deadline of one beside it has its own time, and answers", async () => {
  const { app, call, pid } = await deployed({
    wait: "await sleep(60_000);",
    compute: "compute(1300); return process.pid;",
  }, { timeoutMs: 2000 });
  const waits = call("wait");
  await sleep(1200);
  const computes = call("compute");
  assert.deepEqual(told(await waits), [504, "FUNCTION_TIMEOUT", { timeout_ms: 2000, ...held }]);
  assert.match((await rowOf(app, await waits)).error, /within 2000 ms: another call held its isolate/);
  assert.deepEqual([(await computes).status, (await computes).body], [200, pid]);
  await gone(pid);
});

Deno.test("calls behind one that computes run elsewhere, once, and its isolate serves on", async () => {
  const { call, pid } = await deployed({
    // Its isolate was sent the others too: by the second answer it would have begun them.
    compute: "compute(1500); await sleep(200); return [process.pid, begun];",
    quick: "return process.pid;",
  });
  const computes = call("compute");
  await sleep(50);
  const behind = await Promise.all(["quick-1", "quick-2", "quick-3"].map(call));
  for (const { status, body } of behind) {
    assert.equal(status, 200);
    assert.notEqual(body, pid);
  }
  assert.deepEqual(told(await computes), [200, undefined, undefined]);
  assert.deepEqual((await computes).body, [pid, ["pid", "compute"]]);
  assert.ok(p.platform.isolates.pids().includes(pid));
});

Deno.test("what a call prints after its end is in no other call's row", async () => {
  const { app, call } = await deployed({
    leaves: `setTimeout(() => console.log("printed late"), 300); console.log("printed in time");`,
    waits: `await sleep(800); console.log("my own");`,
  });
  const waits = call("waits");
  const leaves = await call("leaves");
  const messages = async (answer: Answer) =>
    (await rowOf(app, answer)).consoleLogs.map(({ message }: { message: string }) => message);
  assert.deepEqual(await messages(await waits), ["my own"]);
  assert.deepEqual(await messages(leaves), ["printed in time"]);
  assert.deepEqual(await messages(await call("pid")), []);
});

Deno.test("a host that works for long stands behind all others; one that serves many short calls does not", async () => {
  const long = await deployed({
    compute:
      `const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
      const until = used() + 800;
      while (used() < until);
      await sleep(300);
      return process.pid;`,
  });
  const short = await deployed({});
  assert.equal((await long.call("compute")).body, long.pid);
  assert.deepEqual([...new Set(niceness(long.pid))], [10]);
  for (let round = 0; round < 40; round++) {
    await Promise.all(Array.from({ length: 25 }, () => short.call("pid")));
  }
  assert.deepEqual([...new Set(niceness(short.pid))], [0]);
});

Deno.test("code that works on after its call is over is ended", async () => {
  const { call, pid } = await deployed({ leave: "setInterval(() => compute(20), 0);" });
  assert.equal((await call("leave")).status, 200);
  await gone(pid);
  assert.equal((await call("pid")).status, 200);
});

Deno.test("a host over BUTTERBASE_CPU_MS is ended, its calls are told limit and use; short bursts are free", async () => {
  await using limited = await startTestPlatform({ BUTTERBASE_CPU_MS: "20" });
  const { app, call, pid } = await deployed(
    {
      burst: "compute(60); return process.pid;",
      burn: "for (;;) { compute(20); await sleep(1); }",
      loop: "await sleep(200); for (;;);",
      wait: "await sleep(60_000);",
    },
    { timeoutMs: 30_000 },
    limited,
  );
  assert.deepEqual((await call("burst")).body, pid);
  const over = async (what: string) => {
    const answer = await call(what);
    const { cpu_used_ms: used, ...others } = answer.body.error.details;
    assert.deepEqual([answer.status, answer.body.error.code, others], [504, "FUNCTION_TIMEOUT", {
      cpu_ms: 20,
    }]);
    assert.ok(used > 20, `${used} ms`);
    assert.match(answer.body.error.remediation, /BUTTERBASE_CPU_MS/);
    assert.match(
      (await rowOf(app, answer, limited)).error,
      /more than its 20 ms of CPU a second: it used \d+ ms/,
    );
  };
  await over("burn");
  await gone(pid, limited);
  const next = (await call("pid")).body;
  const beside = call("wait");
  await over("loop");
  assert.deepEqual(told(await beside), [502, "FUNCTION_CRASHED", held]);
  await gone(next, limited);
});
