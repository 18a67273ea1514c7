// Notices reach every subscriber in order, only when their transaction commits, and a lost connection is told.

import assert from "node:assert/strict";
import { openTestDatabase } from "./testing.ts";

async function eventually(isSo: () => boolean): Promise<void> {
  const until = performance.now() + 5000;
  while (!isSo()) {
    assert.ok(performance.now() < until, "not so after 5 s");
    await new Promise((done) => setTimeout(done, 5));
  }
}

Deno.test("a notice reaches the subscribers of its topic, until they leave", async () => {
  await using test = await openTestDatabase();
  const { notices } = test.database;
  const heard: string[] = [];
  const leave = notices.subscribe("apps", (payload) => heard.push(payload));
  notices.subscribe("apps", () => {
    throw new Error("a handler's own mistake");
  });
  notices.subscribe("other", () => heard.push("not mine"));
  for (const payload of ["one", "", "two\nlines", '{"é": 1}']) await notices.publish("apps", payload);
  await eventually(() => heard.length === 4);
  assert.deepEqual(heard, ["one", "", "two\nlines", '{"é": 1}']);
  leave();
  await notices.publish("apps", "nobody");
  await notices.publish("other", "last");
  await eventually(() => heard.length === 5);
  assert.equal(heard.at(-1), "not mine");
  await assert.rejects(notices.publish("apps", "x".repeat(8000)), RangeError);
});

Deno.test("a notice in a transaction is heard when it commits, and not when it does not", async () => {
  await using test = await openTestDatabase();
  const { notices, control } = test.database;
  const heard: string[] = [];
  notices.subscribe("t", (payload) => heard.push(payload));
  await control.begin(async (sql) => {
    await notices.publish("t", "rolled back", sql);
    throw new Error("no");
  }).catch(() => {});
  await control.begin((sql) => notices.publish("t", "committed", sql));
  await eventually(() => heard.length > 0);
  assert.deepEqual(heard, ["committed"]);
});

Deno.test("after a lost connection onReconnect is called and notices arrive again", async () => {
  await using test = await openTestDatabase();
  const { notices, control } = test.database;
  let reconnects = 0;
  const heard: string[] = [];
  notices.onReconnect(() => reconnects++);
  notices.subscribe("t", (payload) => heard.push(payload));
  for (const round of [1, 2]) {
    await control`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'butterbase_notices' and datname = current_database()`;
    await eventually(() => reconnects === round);
    await notices.publish("t", `after ${round}`);
    await eventually(() => heard.length === round);
  }
  assert.equal(notices.connected, true);
});
