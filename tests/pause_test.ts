import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const pause = (app: string, paused: boolean) =>
  p.json("PATCH", `/v1/${app}/config/pause`, { body: { paused, ...(paused ? { reason: "spam" } : {}) } });

Deno.test("pausing an app ends what its functions run, and nothing of them goes on", async () => {
  const app = await p.createApp();
  const url = await p.deploy(
    app,
    "spam",
    `export default async function handler(_req, ctx) {
      await ctx.db.asService((db) => db.query("create table if not exists spam (at timestamptz)"));
      for (;;) {
        await ctx.db.asService((db) => db.query("insert into spam values (clock_timestamp())"));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }`,
  );
  const running = fetch(url);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal((await pause(app, true)).status, 200);
  const answer = await running;
  assert.equal(answer.status, 503);
  assert.equal((await answer.json()).error.code, "APP_PAUSED");

  const count = await p.deploy(
    app,
    "count",
    `export default async (_req, ctx) => Response.json((await ctx.db.asService((db) => db.query("select count(*) from spam"))).rows[0])`,
  );
  const now = () => p.json("POST", `/v1/${app}/functions/count/invoke`, { body: {} });
  const first = await now();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual((await now()).body, first.body);
  assert.ok(first.body.count > 0);

  const refused = await fetch(count);
  assert.equal(refused.status, 503);
  await refused.body?.cancel();
  await pause(app, false);
  assert.equal((await fetch(count)).status, 200);
});

Deno.test("what was changed while a node heard nothing goes for its running functions once it hears again", async () => {
  const { versions } = p.platform.isolates.stats();
  const [pausedApp, narrowedApp] = [await p.createApp(), await p.createApp()];
  const code = `export default () => new Promise(() => {})`;
  const long = await p.deploy(pausedApp, "long", code, { timeoutMs: 60_000 });
  const other = await p.deploy(narrowedApp, "quick", `export default () => new Response("here")`);
  assert.equal(await (await fetch(other)).text(), "here");
  const running = fetch(long);
  while (p.platform.isolates.stats().running === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(p.platform.isolates.stats().versions, versions + 2);
  await p.sql`update apps set paused_at = now(), revision = revision + 1 where id = ${pausedApp}`;
  await p.sql`update apps set egress_allow = '{}', revision = revision + 1 where id = ${narrowedApp}`;
  await p.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where query ilike 'listen%' and datname = current_database()`;
  const answer = await running;
  assert.equal(answer.status, 503);
  assert.equal((await answer.json()).error.code, "APP_PAUSED");
  const deadline = performance.now() + 20_000;
  // Neither host is left: one was stopped, and one had the former egress.
  while (p.platform.isolates.stats().versions > versions) {
    assert.ok(performance.now() < deadline, "a host with the former egress is still there");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

Deno.test("deleting an app ends what its functions run", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "long", `export default () => new Promise(() => {})`, {
    timeoutMs: 60_000,
  });
  const running = fetch(url);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal((await p.json("DELETE", `/apps/${app}`)).status, 200);
  const answer = await running;
  assert.ok(answer.status >= 500, String(answer.status));
  await answer.body?.cancel();
});

Deno.test("a control connection that is lost within a transaction costs that request, not the server", async () => {
  const app = await p.createApp();
  const patch = (value: string) => p.json("PATCH", `/v1/${app}/env`, { body: { envVars: { KEY: value } } });
  assert.equal((await patch("1")).status, 200);
  await p.sql.begin(async (tx) => {
    await tx`select 1 from apps where id = ${app} for update`;
    const waiting = patch("2");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await tx`
      select pg_terminate_backend(pid) from pg_stat_activity
      where wait_event_type = 'Lock' and datname = current_database()`;
    assert.equal((await waiting).status, 500);
  });
  assert.equal((await patch("3")).status, 200);
  assert.equal((await p.json("GET", "/health/ready")).status, 200);
});
