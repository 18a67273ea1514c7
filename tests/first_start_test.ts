// What a user sees of the program itself: its first start, the later ones, how it ends, and how it refuses to start.

import assert from "node:assert/strict";
import {
  type DataFolder,
  makeDataFolder,
  type Program,
  runProgram,
  startProgram,
  until,
} from "./tools/program.ts";

const key = `bb_sk_${"5".repeat(40)}`;
/** For tests that are not about the first start: it is ready sooner, and its key is known. */
const bare = { BUTTERBASE_BOOTSTRAP_KEY: key, BUTTERBASE_SAMPLE_APP: "off", BUTTERBASE_WARM_HOSTS: "1" };

const options = { ignore: Deno.build.os !== "linux" };

// deno-lint-ignore no-explicit-any -- what a route answers is what the test looks at.
async function ask(program: Program, method: string, path: string, body?: unknown, as = key): Promise<any> {
  const response = await fetch(`${program.origin}${path}`, {
    method,
    headers: { authorization: `Bearer ${as}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

async function makeApp(program: Program, name = "first"): Promise<string> {
  return (await ask(program, "POST", "/init", { name })).app_id;
}

async function deploy(program: Program, app: string, name: string, code: string, more = {}): Promise<string> {
  const trigger = { type: "http", config: { auth: "none" } };
  return (await ask(program, "POST", `/v1/${app}/functions`, { name, code, trigger, ...more })).url;
}

async function assertNothingRuns(folder: DataFolder): Promise<void> {
  await until("nothing of it runs any more", () => folder.processes().length === 0);
}

Deno.test(
  "the first start prints a key, a URL that answers, and that it is ready; the next only that",
  options,
  async () => {
    await using folder = await makeDataFolder();
    {
      await using program = await startProgram(folder.path);
      const [keyLine = "", tryLine = "", readyLine, ...more] = program.stdout;
      assert.match(keyLine, /^platform key \(shown once\): bb_sk_[0-9a-f]{40}$/);
      assert.match(tryLine, /^try it: curl http:\/\/127\.0\.0\.1:\d+\/v1\/app_[0-9a-z]{12}\/fn\/hello$/);
      assert.equal(readyLine, `listening on ${program.origin}`);
      assert.deepEqual(more, []);

      const curl = await new Deno.Command("curl", { args: ["-sS", tryLine.slice("try it: curl ".length)] })
        .output();
      assert.equal(new TextDecoder().decode(curl.stdout), '{"message":"Hello, world!"}');
      const ready = await fetch(`${program.origin}/health/ready`);
      assert.equal(ready.status, 200);
      assert.equal((await ready.json()).status, "ready");
      const { apps } = await ask(program, "GET", "/apps", undefined, keyLine.slice(-46));
      assert.deepEqual(apps.map(({ name }: { name: string }) => name), ["hello"]);

      const { code, stderr } = await program.stop();
      assert.deepEqual([code, stderr], [0, []]);
    }
    await assertNothingRuns(folder);
    await using again = await startProgram(folder.path);
    const { code, stdout, stderr } = await again.stop();
    assert.deepEqual(stdout, [`listening on ${again.origin}`]);
    assert.deepEqual([code, stderr], [0, []]);
  },
);

Deno.test("a second server on the folder of one that runs is refused, and told which", options, async () => {
  await using folder = await makeDataFolder();
  await using program = await startProgram(folder.path, bare);
  const second = await runProgram(folder.path, bare);
  assert.equal(second.code, 1);
  assert.deepEqual(second.stdout, []);
  assert.deepEqual(second.stderr, [
    `Cannot use the data folder "${folder.path}": process ${program.pid} uses it`,
    "Stop that server first, or set BUTTERBASE_DATA_DIR to another folder.",
  ]);
  assert.equal((await fetch(`${program.origin}/health/ready`)).status, 200);
});

Deno.test(
  "SIGTERM lets a running call finish, turns away new ones, keeps its log line and exits 0",
  options,
  async () => {
    await using folder = await makeDataFolder();
    let app: string;
    {
      await using program = await startProgram(folder.path, bare);
      app = await makeApp(program);
      const code = `export default async () => {
      console.log("began");
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return new Response("took its time");
    };`;
      const url = await deploy(program, app, "slow", code);
      await (await fetch(`${program.origin}/health`)).text();
      const answer = fetch(url);
      // Somebody who follows the log does not hold up the end.
      const follower = await fetch(`${program.origin}/v1/${app}/functions/slow/logs/stream`, {
        headers: { authorization: `Bearer ${key}` },
      });
      const followed = follower.text().catch(() => "");
      await new Promise((resolve) => setTimeout(resolve, 500));
      const ending = program.stop();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await assert.rejects(
        fetch(url, { headers: { connection: "close" } }),
        "a new call is taken while it drains",
      );
      const response = await answer;
      assert.deepEqual([response.status, await response.text()], [200, "took its time"]);
      const { code: exit, stderr } = await ending;
      assert.deepEqual([exit, stderr], [0, []]);
      await followed;
    }
    await assertNothingRuns(folder);
    await using again = await startProgram(folder.path, bare);
    const { logs } = await ask(again, "GET", `/v1/${app}/functions/slow/logs`);
    assert.equal(logs.length, 1);
    assert.equal(logs[0].statusCode, 200);
    assert.ok(logs[0].duration >= 2000 && logs[0].duration < 4000, `${logs[0].duration} ms`);
    assert.equal(logs[0].consoleLogs[0].message, "began");
  },
);

Deno.test(
  "calls that never end and clients that stall hold up SIGTERM no longer than the drain time",
  options,
  async () => {
    await using folder = await makeDataFolder();
    await using program = await startProgram(folder.path, { ...bare, BUTTERBASE_DRAIN_SECONDS: "1" });
    const app = await makeApp(program);
    const url = await deploy(program, app, "endless", "export default () => new Promise(() => {});");
    const answer = fetch(url).then(({ status, body }) => (void body?.cancel(), status), () => "cut off");
    using stalled = await Deno.connect({ port: Number(new URL(program.origin).port) });
    const head =
      `POST /init HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: 100\r\n\r\n{`;
    await stalled.write(new TextEncoder().encode(head));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const startedAt = performance.now();
    const { code } = await program.stop();
    assert.equal(code, 0);
    assert.ok(performance.now() - startedAt < 6000, `it took ${performance.now() - startedAt} ms`);
    assert.ok([502, "cut off"].includes(await answer));
    await assertNothingRuns(folder);
  },
);

Deno.test("mistakes in the settings are told together, and nothing is started", options, async () => {
  await using folder = await makeDataFolder();
  const { code, stdout, stderr } = await runProgram(folder.path, {
    PORT: "http",
    BUTTERBASE_LOG_LEVEL: "loud",
    BUTTERBASE_MASTER_KEY: "secret-but-wrong",
    BUTTERBASE_COLOUR: "red",
  });
  assert.equal(code, 1);
  assert.deepEqual(stdout, []);
  assert.deepEqual(stderr, [
    "The environment has mistakes:",
    "  PORT must be a whole number from 0 to 65535",
    "  BUTTERBASE_LOG_LEVEL must be one of debug, info, warn, error",
    "  BUTTERBASE_MASTER_KEY must be 64 lower-case hexadecimal digits",
    "  BUTTERBASE_COLOUR is not a setting: docs/config.md lists them",
    "docs/config.md lists the settings.",
  ]);
  await assert.rejects(Deno.stat(folder.path), Deno.errors.NotFound);
});

Deno.test(
  "with another master key it refuses to start, and all is as before with the right one",
  options,
  async () => {
    await using folder = await makeDataFolder();
    let url: string;
    {
      await using program = await startProgram(folder.path, bare);
      const app = await makeApp(program);
      const code = "export default (_req, ctx) => new Response(ctx.env.WORD);";
      url = new URL(await deploy(program, app, "word", code, { envVars: { WORD: "sealed" } })).pathname;
      await program.stop();
    }
    const kept = await Deno.readTextFile(`${folder.path}/master.key`);
    const wrong = await runProgram(folder.path, { ...bare, BUTTERBASE_MASTER_KEY: "ab".repeat(32) });
    assert.equal(wrong.code, 1);
    assert.deepEqual(wrong.stdout, []);
    assert.match(wrong.stderr[0] ?? "", /^The master key does not open this database's secrets/);
    assert.match(wrong.stderr.join("\n"), /BUTTERBASE_MASTER_KEY/);
    assert.doesNotMatch(
      wrong.stderr.join("\n"),
      /abababab|\bat .*\.ts:\d+/,
      "no secret and no stack is shown",
    );
    await assertNothingRuns(folder);

    await using again = await startProgram(folder.path, bare);
    assert.equal(await Deno.readTextFile(`${folder.path}/master.key`), kept);
    assert.equal(await (await fetch(`${again.origin}${url}`)).text(), "sealed");
  },
);

Deno.test("a key given by BUTTERBASE_BOOTSTRAP_KEY works and is printed nowhere", options, async () => {
  await using folder = await makeDataFolder();
  await using program = await startProgram(folder.path, { BUTTERBASE_BOOTSTRAP_KEY: key });
  assert.equal(program.stdout.length, 2, program.stderr.join("\n"));
  assert.match(program.stdout[0] ?? "", /^try it: curl /);
  assert.equal((await ask(program, "GET", "/apps")).apps.length, 1);
  const { stdout, stderr } = await program.stop();
  assert.doesNotMatch([...stdout, ...stderr].join("\n"), /bb_sk_/);
});

Deno.test("a first start that cannot reach the npm registry still gives the key", options, async () => {
  await using folder = await makeDataFolder();
  const nowhere = "http://127.0.0.1:9";
  await using program = await startProgram(folder.path, {
    HTTPS_PROXY: nowhere,
    HTTP_PROXY: nowhere,
    NO_PROXY: "",
  });
  assert.match(program.stdout[0] ?? "", /^platform key \(shown once\): bb_sk_/);
  assert.equal(program.stdout[1], `listening on ${program.origin}`);
  assert.match(program.stderr.join("\n"), /The app hello could not be made/);
});
