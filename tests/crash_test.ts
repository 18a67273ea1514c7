// What a crash leaves: nothing that runs, and everything that somebody was told. The server, then its PostgreSQL, are
// killed with SIGKILL under load.

import assert from "node:assert/strict";
import { isAlive, makeDataFolder, type Program, startProgram, until } from "./tools/program.ts";

const key = `bb_sk_${"6".repeat(40)}`;
const settings = {
  BUTTERBASE_BOOTSTRAP_KEY: key,
  BUTTERBASE_SAMPLE_APP: "off",
  BUTTERBASE_WARM_HOSTS: "1",
  BUTTERBASE_LOG_LEVEL: "error",
};
const options = { ignore: Deno.build.os !== "linux" };
const as = { authorization: `Bearer ${key}`, "content-type": "application/json" };

/** Notes the call in the app's database, so that an answer says that something was kept. */
const noting = `export default async (req, ctx) => {
  const call = new URL(req.url).searchParams.get("call");
  await new Promise((resolve) => setTimeout(resolve, 150));
  await ctx.db.asService((db) => db.query("insert into calls (call) values ($1)", [call]));
  console.log("call " + call);
  return Response.json({ call });
};`;
const counting = `export default async (_req, ctx) => {
  const { rows } = await ctx.db.asService((db) => db.query("select call from calls"));
  return Response.json(rows.map((row) => row.call));
};`;
const preparing = `export default async (_req, ctx) => {
  await ctx.db.asService((db) => db.query("create table if not exists calls (call int primary key)"));
  return new Response("ready");
};`;

// deno-lint-ignore no-explicit-any -- what a route answers is what the test looks at.
async function manage(program: Program, method: string, path: string, body?: unknown): Promise<any> {
  const response = await fetch(`${program.origin}${path}`, {
    method,
    headers: as,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** An app with the three functions above, its table made. */
async function makeApp(program: Program): Promise<string> {
  const { app_id: app } = await manage(program, "POST", "/init", { name: "crash" });
  const trigger = { type: "http", config: { auth: "none" } };
  for (const [name, code] of Object.entries({ noting, counting, preparing })) {
    await manage(program, "POST", `/v1/${app}/functions`, { name, code, trigger });
  }
  assert.equal(await (await call(program, app, "preparing")).text(), "ready");
  return app;
}

function call(program: Program, app: string, name: string): Promise<Response> {
  return fetch(`${program.origin}/v1/${app}/fn/${name}`, { signal: AbortSignal.timeout(30_000) });
}

interface Answered {
  call: number;
  requestId: string;
  at: number;
}

/** Calls `noting` 1,000 times, 50 at once, until all are answered or the server is gone. */
async function load(program: Program, app: string, answered: Answered[]): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < 1000) {
      const number = next++;
      try {
        const response = await call(program, app, `noting?call=${number}`);
        const requestId = response.headers.get("x-request-id") ?? "";
        await response.json();
        if (response.status === 200) answered.push({ call: number, requestId, at: performance.now() });
      } catch {
        // The server is gone; so are the other callers' answers.
      }
    }
  };
  await Promise.all(Array.from({ length: 50 }, caller));
}

Deno.test(
  "after kill -9 of the server under 1,000 calls nothing runs on, and what was answered is kept",
  options,
  async () => {
    await using folder = await makeDataFolder();
    const answered: Answered[] = [];
    let app: string;
    let before: number[];
    let killedAt: number;
    {
      await using program = await startProgram(folder.path, settings);
      app = await makeApp(program);
      const loaded = load(program, app, answered);
      await until("six hundred calls are answered", () => answered.length >= 600);
      before = folder.processes().map(({ pid }) => pid);
      const commands = folder.processes().map(({ command }) => command).join("\n");
      assert.match(commands, /isolate\/host\/main\.ts/, "hosts run before the kill");
      assert.match(commands, /bin\/postgres -D/, "PostgreSQL runs before the kill");
      killedAt = performance.now();
      program.kill("SIGKILL");
      await loaded;
      assert.equal((await program.ended).signal, "SIGKILL");
      assert.ok(answered.length < 1000, "the load was over before the kill");
    }
    await until("hosts and PostgreSQL have ended by themselves", () => folder.processes().length === 0);
    assert.deepEqual(before.filter(isAlive), []);

    await using again = await startProgram(folder.path, settings);
    assert.deepEqual(again.stdout, [`listening on ${again.origin}`]);
    const { functions } = await manage(again, "GET", `/v1/${app}/functions`);
    assert.deepEqual(functions.map(({ name }: { name: string }) => name).sort(), [
      "counting",
      "noting",
      "preparing",
    ]);

    const kept = new Set(await (await call(again, app, "counting")).json());
    assert.deepEqual(answered.filter((one) => !kept.has(one.call)), [], "an answered call's row is gone");

    const { logs } = await manage(again, "GET", `/v1/${app}/functions/noting/logs?limit=1000`);
    const logged = new Set(logs.map(({ requestId }: { requestId: string }) => requestId));
    assert.equal(logged.size, logs.length, "a call stands in the log twice");
    const due = answered.filter(({ at }) => at < killedAt - 1500);
    assert.ok(due.length > 50, `only ${due.length} calls were answered long enough before the kill to judge`);
    assert.deepEqual(
      due.filter(({ requestId }) => !logged.has(requestId)),
      [],
      "a call is missing from the log",
    );

    assert.equal((await call(again, app, "noting?call=5000")).status, 200);
    await again.stop();
    await until("nothing of it runs any more", () => folder.processes().length === 0);
  },
);

Deno.test(
  "after kill -9 of PostgreSQL under a running server ctx.db works again, and the logs go on",
  options,
  async () => {
    await using folder = await makeDataFolder();
    await using program = await startProgram(folder.path, settings);
    const app = await makeApp(program);
    assert.equal((await call(program, app, "noting?call=1")).status, 200);
    assert.deepEqual(await (await call(program, app, "counting")).json(), [1]);
    const postmaster = await readPostmaster(folder.path);
    Deno.kill(postmaster, "SIGKILL");
    const statuses: number[] = [];
    await until("ctx.db works again", async () => {
      const response = await call(program, app, "counting");
      statuses.push(response.status);
      await response.body?.cancel();
      return response.status === 200;
    });
    assert.ok(statuses.every((status) => [200, 500, 503].includes(status)), String(statuses));
    assert.notEqual(await readPostmaster(folder.path), postmaster);
    assert.deepEqual(await (await call(program, app, "counting")).json(), [1]);
    assert.equal((await call(program, app, "noting?call=2")).status, 200);
    await until("the server is ready", async () => {
      const response = await fetch(`${program.origin}/health/ready`);
      await response.body?.cancel();
      return response.status === 200;
    });
    const code = "export default () => new Response('deployed after the crash');";
    const trigger = { type: "http", config: { auth: "none" } };
    await manage(program, "POST", `/v1/${app}/functions`, { name: "later", code, trigger });
    assert.equal(await (await call(program, app, "later")).text(), "deployed after the crash");
    const { logs } = await manage(program, "GET", `/v1/${app}/functions/noting/logs`);
    assert.deepEqual(logs.map(({ statusCode }: { statusCode: number }) => statusCode), [200, 200]);
    assert.equal((await program.stop()).code, 0);
  },
);

async function readPostmaster(dataDir: string): Promise<number> {
  const [pid] = (await Deno.readTextFile(`${dataDir}/pgdata/postmaster.pid`)).split("\n");
  return Number(pid);
}
