// Every example is deployed and called by the very commands in the comment at its top, and does what the comment says.

import assert from "node:assert/strict";
import { join } from "node:path";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { runShell } from "./tools/shell.ts";

const folder = join(import.meta.dirname ?? "", "..", "examples");

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

/** The indented lines of the comment that the file begins with. */
function commandsOf(code: string): string[] {
  const comment = code.slice(0, code.indexOf("\n\n")).split("\n");
  return comment.filter((line) => line.startsWith("//   ")).map((line) => line.slice("//   ".length));
}

/** Runs the commands of the example in a new app; what each printed, in order. */
async function run(name: string): Promise<{ app: string; printed: string[] }> {
  const app = await p.createApp();
  const commands = commandsOf(await Deno.readTextFile(join(folder, `${name}.ts`)));
  assert.ok(commands.length >= 2, "the comment says neither how to deploy it nor how to call it");
  const printed = await runShell(commands, { API: p.origin, KEY: ownerKey, APP: app });
  assert.equal(printed[0], `${p.origin}/v1/${app}/fn/${name}\n`);
  return { app, printed: printed.slice(1) };
}

const checks: Record<string, () => Promise<void>> = {
  async hello() {
    const { printed } = await run("hello");
    assert.deepEqual(printed, ['{"message":"Hello, Ada!"}']);
  },

  async env() {
    const { app, printed } = await run("env");
    const { body } = await p.json("GET", "/apps");
    const { name } = body.apps.find(({ id }: { id: string }) => id === app);
    const [first, changed, second] = printed;
    assert.equal(first, `Good morning from ${name}\n`);
    assert.deepEqual(JSON.parse(changed ?? "").updatedKeys, ["GREETING"]);
    assert.equal(second, `Good night from ${name}\n`);
  },

  async database() {
    const { app, printed } = await run("database");
    const note = { id: 1, body: "Buy milk" };
    assert.deepEqual(printed.map((text) => JSON.parse(text)), [note, [note], []]);
    const url = `/v1/${app}/fn/database`;
    const nobody = await p.request("GET", url);
    assert.deepEqual([nobody.status, await nobody.text()], [401, "This needs a signed-in user\n"]);
    // With a token of their own, twenty at once.
    const key = await p.userToken(app, "cyd");
    const added = await Promise.all(Array.from({ length: 20 }, async (_, at) => {
      const response = await p.request("POST", url, { key, body: `note ${at}` });
      await response.body?.cancel();
      return response.status;
    }));
    assert.deepEqual(new Set(added), new Set([201]));
    assert.equal((await p.json("GET", url, { key })).body.length, 20);
  },

  async webhook() {
    const { app, printed } = await run("webhook");
    assert.deepEqual(printed, ["", "", "done\n", "seen before\n", "The signature is wrong\n"]);
    const logs = await p.logs(app, "webhook", { count: 3 });
    const lines = logs.flatMap(({ consoleLogs }) =>
      consoleLogs.map(({ message }: { message: string }) => message)
    );
    assert.deepEqual(lines, ["handling order.paid evt_1"]);
  },

  async background() {
    const { printed } = await run("background");
    const [answer, slept, logs] = printed;
    assert.equal(answer, '{"accepted":"ada@example.com"}');
    assert.equal(slept, "");
    const [line] = JSON.parse(logs ?? "").logs;
    assert.equal(line.statusCode, 202);
    assert.ok(line.duration < 400, `the answer took ${line.duration} ms`);
    assert.deepEqual(line.consoleLogs.map(({ message }: { message: string }) => message), [
      "welcomed ada@example.com",
    ]);
  },

  async streaming() {
    const { app, printed } = await run("streaming");
    assert.deepEqual(printed, ["data: 3\n\ndata: 2\n\ndata: 1\n\ndata: 0\n\n"]);
    const leaving = new AbortController();
    const response = await p.request("GET", `/v1/${app}/fn/streaming?from=60`, { signal: leaving.signal });
    await response.body?.getReader().read();
    leaving.abort();
    const [line] = await p.logs(app, "streaming", { count: 2 });
    assert.match(line.consoleLogs[0].message, /^the reader left at 5\d$/);
  },
};

for (const [name, check] of Object.entries(checks)) {
  Deno.test(`examples/${name}.ts does what the commands at its top show`, check);
}

Deno.test("every example is exercised here", async () => {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name);
  const examples = names.filter((name) => name.endsWith(".ts")).map((name) => name.slice(0, -3));
  assert.deepEqual(examples.sort(), Object.keys(checks).sort());
});
