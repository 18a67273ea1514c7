// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// The log of a function as its developer reads it: the list, the stream, the counters, and what is never in it.

import assert from "node:assert/strict";
import { InvocationRows } from "../db/queries/invocation_rows.ts";
import { ensureDayPartition, insertInvocations, type InvocationRow } from "../db/queries/invocations.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

const answers = `export default async (req) => {
  const url = new URL(req.url);
  const ms = Number(url.searchParams.get("ms") ?? 0);
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  console.log("n=" + url.searchParams.get("n"));
  if (url.searchParams.has("throw")) throw new Error("as asked");
  return new Response("ok", { status: Number(url.searchParams.get("status") ?? 200) });
}`;
const call = async (url: string, headers: HeadersInit = {}) => {
  const answer = await fetch(url, { headers });
  await answer.body?.cancel();
  return answer;
};
const logsOf = (app: string, query = "", key?: string) =>
  p.json("GET", `/v1/${app}/functions/fn/logs?${query}`, key === undefined ? {} : { key });
const numbers = (logs: any[]) => logs.map(({ consoleLogs }) => consoleLogs[0].message);

Deno.test("a log line has what clients read, and what happened beside", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  const sent = await call(`${url}/sub?n=1&token=hunter2`);
  const [line] = await p.logs(app, "fn");
  const { timestamp, duration, cpuMs, memoryUsed, consoleLogs, responseBytes, ...others } = line;
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Number.isInteger(duration) && duration >= 0);
  assert.ok(cpuMs >= 0 && memoryUsed >= 0, `${cpuMs} ms, ${memoryUsed} MB`);
  assert.equal(responseBytes, 2);
  assert.equal(consoleLogs.length, 1);
  assert.deepEqual(Object.keys(consoleLogs[0]).sort(), ["level", "message", "timestamp"]);
  assert.deepEqual([consoleLogs[0].level, consoleLogs[0].message], ["log", "n=1"]);
  assert.ok(Math.abs(consoleLogs[0].timestamp - Date.now()) < 60_000);
  const id = sent.headers.get("x-request-id");
  assert.deepEqual(others, {
    id,
    requestId: id,
    method: "GET",
    path: `/v1/${app}/fn/fn/sub`,
    statusCode: 200,
    requestBytes: 0,
    error: null,
    stack: null,
    triggerType: "http",
    status: "completed",
    eventId: null,
    attempt: 1,
    version: 1,
    userId: null,
    caller: "anonymous",
    whilePaused: false,
  });
});

Deno.test("logs are newest first, as many as the limit says, and hasMore tells whether there are others", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  for (let n = 1; n <= 5; n++) await call(`${url}?n=${n}`);
  await p.logs(app, "fn", { count: 5 });
  const expected: [string, string[], boolean][] = [
    ["", ["n=5", "n=4", "n=3", "n=2", "n=1"], false],
    ["limit=2", ["n=5", "n=4"], true],
    ["limit=5", ["n=5", "n=4", "n=3", "n=2", "n=1"], false],
    ["limit=999999", ["n=5", "n=4", "n=3", "n=2", "n=1"], false],
  ];
  for (const [query, lines, hasMore] of expected) {
    const { body } = await logsOf(app, query);
    assert.deepEqual(Object.keys(body), ["logs", "hasMore"]);
    assert.deepEqual([numbers(body.logs), body.hasMore], [lines, hasMore], query);
  }
  const { body: { logs } } = await logsOf(app);
  const since = await logsOf(app, `since=${encodeURIComponent(logs[2].timestamp)}`);
  const later = logs.filter(({ timestamp }: any) => timestamp > logs[2].timestamp);
  assert.deepEqual(numbers(since.body.logs), numbers(later));
  assert.deepEqual((await logsOf(app, `since=${encodeURIComponent(logs[0].timestamp)}`)).body.logs, []);
});

Deno.test("level=error shows runs that threw, timed out or answered 400 and up, and other levels show all", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers, { timeoutMs: 500 });
  for (const query of ["n=1", "n=2&status=404", "n=3&throw", "n=4&status=302", "n=5&status=500"]) {
    await call(`${url}?${query}`);
  }
  await call(`${url}?n=6&ms=5000`);
  await p.logs(app, "fn", { count: 6 });
  const errors = (await logsOf(app, "level=error")).body.logs;
  assert.deepEqual(errors.map(({ statusCode }: any) => statusCode), [504, 500, 500, 404]);
  assert.deepEqual(errors.slice(2).map(({ error }: any) => error), ["as asked", "HTTP 404"]);
  assert.match(errors[2].stack, /fn\.ts:6:/);
  for (const level of ["all", "warn", "x"]) {
    assert.equal((await logsOf(app, `level=${level}`)).body.logs.length, 6);
  }
});

Deno.test("parameters that cannot be are 400 and named, never 500", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", answers);
  const wrong = [
    "limit=-1",
    "limit=0",
    "limit=x",
    "limit=1.5",
    "since=yesterday",
    "since=-1",
    "include_deleted=perhaps",
  ];
  for (const query of [...wrong, "since=%00", "limit=%F0%9F%92%A9", "since=2026-99-99"]) {
    for (const path of ["logs", "logs/stream"]) {
      const { status, body } = await p.json("GET", `/v1/${app}/functions/fn/${path}?${query}`);
      assert.deepEqual([status, body.error.code], [400, "VALIDATION_INVALID_INPUT"], `${path}?${query}`);
      assert.ok(query.startsWith(body.error.details.path));
    }
  }
  const stream = await p.json("GET", `/v1/${app}/functions/fn/logs/stream`, {
    headers: { "last-event-id": "x" },
  });
  assert.deepEqual([stream.status, stream.body.error.code], [400, "VALIDATION_INVALID_INPUT"]);
});

Deno.test("logs of a deleted function are shown to its owner who asks for them, and to nobody else", async () => {
  const key = await p.addAccount();
  const app = await p.createApp({ key });
  const url = await p.deploy(app, "fn", answers, { key });
  await call(`${url}?n=1`);
  await p.logs(app, "fn");
  const user = await p.userToken(app, "u1");
  await p.json("DELETE", `/v1/${app}/functions/fn`, { key });
  assert.equal((await logsOf(app, "", key)).status, 404);
  assert.equal((await logsOf(app, "include_deleted=false", key)).status, 404);
  const { status, body } = await logsOf(app, "include_deleted=true", key);
  assert.deepEqual([status, numbers(body.logs)], [200, ["n=1"]]);
  assert.equal((await logsOf(app, "include_deleted=true", await p.addAccount())).status, 404);
  assert.equal((await logsOf(app, "include_deleted=true", user)).status, 401);
  assert.equal(
    (await p.json("GET", `/v1/${app}/functions/fn/logs?include_deleted=true`, { key: null })).status,
    401,
  );
  assert.equal(
    (await p.json("GET", `/v1/${app}/functions/never/logs?include_deleted=true`, { key })).status,
    404,
  );
});

interface Tail extends AsyncDisposable {
  /** Frames that have come, with their fields. */
  readonly frames: { id: string; event: string; data: any }[];
  readonly ended: Promise<void>;
  until(count: number): Promise<void>;
}

async function tail(app: string, query = "", headers: HeadersInit = {}): Promise<Tail> {
  const ending = new AbortController();
  const response = await p.request("GET", `/v1/${app}/functions/fn/logs/stream?${query}`, {
    headers,
    signal: ending.signal,
  });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  assert.ok(response.headers.get("x-request-id"));
  const frames: Tail["frames"] = [];
  const reading = (async () => {
    let rest = "";
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = (rest + chunk).split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts.filter((frame) => !frame.startsWith(":"))) {
        const fields = Object.fromEntries(
          part.split("\n").map((
            line,
          ) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        );
        const { id = "", event = "", data = "" } = fields;
        frames.push({ id, event, data: JSON.parse(data) });
      }
    }
  })().catch((error) => {
    if (!ending.signal.aborted) throw error;
  });
  return {
    frames,
    ended: reading,
    async until(count) {
      const deadline = performance.now() + 5000;
      while (frames.length < count) {
        assert.ok(performance.now() < deadline, `${count} frames were awaited, ${frames.length} came`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await reading;
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("the log stream tells each run once, as the list shows it, under its start as id", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  await call(`${url}?n=before`);
  await p.logs(app, "fn");
  await using following = await tail(app);
  for (let n = 1; n <= 3; n++) await call(`${url}?n=${n}`);
  await following.until(3);
  await pause(1200);
  assert.deepEqual(numbers(following.frames.map(({ data }) => data)), ["n=1", "n=2", "n=3"]);
  const { body: { logs } } = await logsOf(app);
  for (const { id, event, data } of following.frames) {
    assert.deepEqual([event, id], ["log", data.timestamp]);
    assert.deepEqual(data, logs.find((line: any) => line.id === data.id));
  }
});

Deno.test("the log stream tells a run that began before others and ended after them", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  await using following = await tail(app);
  const slow = call(`${url}?n=slow&ms=2000`);
  await pause(100);
  await call(`${url}?n=fast`);
  await following.until(1);
  assert.deepEqual(numbers(following.frames.map(({ data }) => data)), ["n=fast"]);
  await slow;
  await following.until(2);
  assert.deepEqual(numbers(following.frames.map(({ data }) => data)), ["n=fast", "n=slow"]);
});

Deno.test("a stream that is taken up again with Last-Event-ID repeats nothing and leaves nothing out", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  let lastId = "";
  {
    await using first = await tail(app);
    for (let n = 1; n <= 2; n++) {
      await call(`${url}?n=${n}`);
      await pause(5);
    }
    await first.until(2);
    lastId = first.frames[1]?.id ?? "";
  }
  for (let n = 3; n <= 4; n++) await call(`${url}?n=${n}`);
  await p.logs(app, "fn", { count: 4 });
  await using second = await tail(app, `since=2020-01-01T00:00:00Z`, { "last-event-id": lastId });
  await call(`${url}?n=5`);
  await second.until(3);
  assert.deepEqual(numbers(second.frames.map(({ data }) => data)), ["n=3", "n=4", "n=5"]);
});

Deno.test("the stream begins at since, and level=error leaves the others out", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  for (const query of ["n=1", "n=2&status=500", "n=3"]) await call(`${url}?${query}`);
  await p.logs(app, "fn", { count: 3 });
  await using all = await tail(app, "since=2020-01-01T00:00:00Z");
  await using errors = await tail(app, "since=2020-01-01T00:00:00Z&level=error");
  await call(`${url}?n=4&throw`);
  await all.until(4);
  await errors.until(2);
  assert.deepEqual(numbers(all.frames.map(({ data }) => data)), ["n=1", "n=2", "n=3", "n=4"]);
  assert.deepEqual(numbers(errors.frames.map(({ data }) => data)), ["n=2", "n=4"]);
});

Deno.test("more runs than one look brings are all told, each once", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  await Promise.all(Array.from({ length: 250 }, (_, n) => call(`${url}?n=${n}`)));
  await p.logs(app, "fn", { count: 250, query: "limit=1000" });
  await using following = await tail(app, "since=2020-01-01T00:00:00Z");
  await following.until(250);
  await pause(1200);
  assert.equal(following.frames.length, 250);
  assert.equal(new Set(following.frames.map(({ data }) => data.id)).size, 250);
});

Deno.test("the stream ends when the function or the app is deleted", async () => {
  const app = await p.createApp();
  await p.deploy(app, "fn", answers);
  await using ofFunction = await tail(app);
  await p.json("DELETE", `/v1/${app}/functions/fn`);
  await ofFunction.ended;
  await p.deploy(app, "fn", answers);
  await using ofApp = await tail(app);
  await p.json("DELETE", `/apps/${app}`);
  await ofApp.ended;
  assert.deepEqual([ofFunction.frames, ofApp.frames], [[], []]);
});

Deno.test("counters are of the function's whole life, rates of its last 24 hours", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", answers);
  for (const query of ["n=1", "n=2", "n=3", "n=4&status=404"]) await call(`${url}?${query}`);
  await p.logs(app, "fn", { count: 4 });
  const [stored] = await p.sql<
    InvocationRow[]
  >`select * from function_invocations where app_id = ${app} limit 1`;
  assert.ok(stored !== undefined);
  const old = new Date(Date.now() - 25 * 60 * 60 * 1000);
  await ensureDayPartition(p.sql, old);
  await insertInvocations(
    p.sql,
    InvocationRows.of([1, 2].map(() => ({
      ...stored,
      id: crypto.randomUUID(),
      status: "failed",
      status_code: 500,
      duration_ms: 10_000,
      started_at: old,
      completed_at: old,
    }))),
  );

  const detail = (await p.json("GET", `/v1/${app}/functions/fn`)).body;
  assert.deepEqual([detail.invocationCount, detail.errorCount], [6, 3]);
  assert.ok(detail.avgDuration > 3000 && detail.avgDuration < 4500, String(detail.avgDuration));
  const newest = (await logsOf(app)).body.logs[0];
  assert.equal(detail.lastInvoked, newest.timestamp);
  const [listed] = (await p.json("GET", `/v1/${app}/functions`)).body.functions;
  assert.deepEqual([listed.invocationCount, listed.errorRate, listed.status], [6, 0.25, "error"]);
  assert.deepEqual([listed.lastStatus, listed.lastInvoked], [404, newest.timestamp]);
  assert.ok(listed.avgDuration < 3000, String(listed.avgDuration));

  for (let n = 0; n < 40; n++) await call(`${url}?n=${n}`);
  await p.logs(app, "fn", { count: 46 });
  const [mended] = (await p.json("GET", `/v1/${app}/functions`)).body.functions;
  assert.deepEqual([mended.status, mended.lastStatus, mended.errorRate], ["active", 200, 1 / 44]);
  await p.deploy(app, "fn", answers);
  assert.equal((await p.json("GET", `/v1/${app}/functions/fn`)).body.invocationCount, 46);
});

Deno.test("no credential, cookie, signature or query of a call is kept anywhere in the log", async () => {
  const app = await p.createApp();
  const url = await p.deploy(app, "fn", `export default () => { throw new Error("x") }`, {
    auth: "optional",
  });
  const token = await p.userToken(app, "u1");
  const secrets: Record<string, string> = {
    authorization: `Bearer ${token}`,
    cookie: "session=hunter2-cookie",
    "x-hub-signature-256": "sha256=hunter2-hub",
    "stripe-signature": "t=1,v1=hunter2-stripe",
    "x-api-key": "hunter2-key",
    "proxy-authorization": "Basic hunter2-proxy",
  };
  await call(`${url}?api_key=hunter2-query`, secrets);
  const [line] = await p.logs(app, "fn");
  const rows = await p
    .sql`select function_invocations::text as row from function_invocations where app_id = ${app}`;
  assert.equal(rows.length, 1);
  for (const text of [String(rows[0]?.["row"]), JSON.stringify(line)]) {
    assert.ok(!text.includes("hunter2"), text);
    assert.ok(!text.includes(token.slice(-20)) && !text.includes("Bearer"), text);
  }
  assert.equal(line.userId, "u1");
});

Deno.test("rows lie in the partition of their day, and tomorrow's is there already", async () => {
  const app = await p.createApp();
  await call(await p.deploy(app, "fn", answers));
  await p.logs(app, "fn");
  const day = (ms: number) =>
    `function_invocations_${new Date(ms).toISOString().slice(0, 10).replaceAll("-", "_")}`;
  const [row] = await p.sql<{ started_at: Date; place: string }[]>`
    select started_at, tableoid::regclass::text as place from function_invocations where app_id = ${app}`;
  assert.equal(row?.place, day(row?.started_at.getTime() ?? 0));
  const [tomorrow] = await p.sql`select to_regclass(${day(Date.now() + 86_400_000)})::text as name`;
  assert.equal(tomorrow?.["name"], day(Date.now() + 86_400_000));
});
