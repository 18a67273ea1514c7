// The invocation log over a real control database, with a clock wound by hand.

import assert from "node:assert/strict";
import type { AccountId, AppId, FunctionId, VersionId } from "../core/ids.ts";
import { newAppId, newUuid } from "../core/ids.ts";
import { silentLogger } from "../core/log.ts";
import type { Sql } from "../db/mod.ts";
import { InvocationRows } from "../db/queries/invocation_rows.ts";
import { dropOldPartitions, ensureDayPartition, insertInvocations } from "../db/queries/invocations.ts";
import { openTestDatabase } from "../db/testing.ts";
import { InvocationLog, type LoggedRun } from "./invocation_log.ts";
import { LogTail } from "./log_tail.ts";

const dayMs = 24 * 60 * 60 * 1000;
const noon = Date.parse("2026-03-10T12:00:00Z");

interface World extends AsyncDisposable {
  sql: Sql;
  /** Moves the clock on. */
  wind(ms: number): void;
  openLog(retentionDays?: number): Promise<InvocationLog>;
  run(fields?: Partial<LoggedRun>): LoggedRun;
  functionId: FunctionId;
}

async function world(): Promise<World> {
  const test = await openTestDatabase();
  const { control: sql } = test.database;
  let now = noon;
  const [account, appId] = [newUuid<AccountId>(), newAppId()];
  const [functionId, versionId] = [newUuid<FunctionId>(), newUuid<VersionId>()];
  await addFunction(sql, { account, appId, functionId, versionId });
  return {
    sql,
    functionId,
    wind: (ms) => void (now += ms),
    async openLog(retentionDays = 7) {
      const clock = { now: () => now, monotonic: () => now };
      const log = new InvocationLog({ sql, clock, log: silentLogger, retentionDays });
      await log.open();
      return log;
    },
    run: (fields = {}) => ({
      id: crypto.randomUUID(),
      app_id: appId,
      function_id: functionId,
      version_id: versionId,
      functionName: "fn",
      trigger_type: "http",
      method: "GET",
      path: "/v1/app/fn/fn",
      status: "completed",
      status_code: 200,
      duration_ms: 10,
      cpu_ms: 1.5,
      memory_used_mb: 20.5,
      request_bytes: 0,
      response_bytes: 5,
      error_message: null,
      error_stack: null,
      console_logs: [],
      user_id: null,
      caller_type: "anonymous",
      source_event_id: null,
      attempt_count: 1,
      while_paused: false,
      started_at: new Date(now),
      completed_at: new Date(now + 10),
      ...fields,
    }),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

interface NewFunction {
  account: AccountId;
  appId: AppId;
  functionId: FunctionId;
  versionId: VersionId;
}

async function addFunction(sql: Sql, { account, appId, functionId, versionId }: NewFunction): Promise<void> {
  await sql`insert into accounts (id, email, name) values (${account}, ${account}, 'A')`;
  await sql`
    insert into apps (id, owner_id, name, subdomain, db_name, region, anon_key)
    values (${appId}, ${account}, 'a', 'a', ${appId}, 'local', 'x')`;
  await sql.begin(async (tx) => {
    await tx`
      insert into functions (id, app_id, name, version_id, timeout_ms, agent_tool, agent_tool_mode,
        agent_tool_exposed_to, allow_service_key_impersonation, deployed_at)
      values (${functionId}, ${appId}, 'fn', ${versionId}, 30000, false, 'read_only', 'developer_only', true, now())`;
    await tx`
      insert into function_versions (id, function_id, app_id, number, source, bundle, source_map, content_hash,
        memory_limit_mb, env_revision, deployed_by)
      values (${versionId}, ${functionId}, ${appId}, 1, '', '', '{}', '', 128, 1, ${account})`;
  });
}

async function partitions(sql: Sql): Promise<string[]> {
  const rows = await sql<{ day: string }[]>`
    select replace(substr(inhrelid::regclass::text, 22), '_', '-') as day
    from pg_inherits where inhparent = 'function_invocations'::regclass order by 1`;
  return rows.map(({ day }) => day);
}

const rowCount = async (sql: Sql) =>
  (await sql`select count(*)::int as count from function_invocations`)[0]?.["count"];

Deno.test("opening the log makes today's and tomorrow's partitions, by the clock in UTC", async () => {
  await using w = await world();
  await using _log = await w.openLog();
  assert.deepEqual(await partitions(w.sql), ["2026-03-10", "2026-03-11"]);
});

Deno.test("a row is stored in the partition of the day it began, made when there is none", async () => {
  await using w = await world();
  await using log = await w.openLog();
  const instants = [
    "2026-03-08T00:00:00.000Z",
    "2026-03-08T23:59:59.999Z",
    "2026-03-10T00:00:00.000Z",
    "2026-03-13T07:00:00.000Z",
  ];
  for (const instant of instants) log.record(w.run({ started_at: new Date(instant) }));
  await log.flush();
  const rows = await w.sql<{ started_at: Date; place: string }[]>`
    select started_at, tableoid::regclass::text as place from function_invocations order by started_at`;
  assert.deepEqual(
    rows.map(({ started_at, place }) => [started_at.toISOString(), place]),
    instants.map((instant) => [instant, `function_invocations_${instant.slice(0, 10).replaceAll("-", "_")}`]),
  );
});

Deno.test("days past the retention are dropped whole, and none sooner", async () => {
  await using w = await world();
  {
    await using log = await w.openLog(7);
    for (let day = 0; day <= 7; day++) log.record(w.run({ started_at: new Date(noon - day * dayMs) }));
    await log.flush();
  }
  assert.equal(await rowCount(w.sql), 8);
  {
    // The oldest day is 7 days and 12 hours before now at its beginning, and half of it is younger than 7 days.
    await using _log = await w.openLog(7);
    assert.equal(await rowCount(w.sql), 8);
  }
  w.wind(dayMs);
  {
    await using _log = await w.openLog(7);
    assert.equal(await rowCount(w.sql), 7);
    assert.equal((await partitions(w.sql))[0], "2026-03-04");
  }
  w.wind(30 * dayMs);
  await using _log = await w.openLog(7);
  assert.equal(await rowCount(w.sql), 0);
  assert.deepEqual(await partitions(w.sql), ["2026-04-10", "2026-04-11"]);
});

Deno.test("a partition is dropped when its whole day is before the limit, to the millisecond", async () => {
  await using w = await world();
  await ensureDayPartition(w.sql, new Date("2026-03-01T15:00:00Z"));
  assert.deepEqual(await dropOldPartitions(w.sql, new Date("2026-03-01T23:59:59.999Z")), []);
  assert.deepEqual(await dropOldPartitions(w.sql, new Date("2026-03-02T00:00:00.000Z")), [
    "function_invocations_2026_03_01",
  ]);
  assert.deepEqual(await dropOldPartitions(w.sql, new Date("2026-03-02T00:00:00.000Z")), []);
});

Deno.test("two nodes that make the same day at once make it once", async () => {
  await using w = await world();
  await Promise.all([1, 2, 3].map(() => ensureDayPartition(w.sql, new Date(noon))));
  assert.deepEqual(await partitions(w.sql), ["2026-03-10"]);
});

Deno.test("the counters of a function follow its rows, and a batch that comes twice counts once", async () => {
  await using w = await world();
  await ensureDayPartition(w.sql, new Date(noon));
  const rows = [
    w.run({ duration_ms: 30, started_at: new Date(noon + 2) }),
    w.run({ duration_ms: 10, status: "failed", status_code: 500, started_at: new Date(noon + 3) }),
    w.run({ duration_ms: 20, started_at: new Date(noon + 1) }),
    w.run({ status: "skipped_paused", status_code: null, duration_ms: 0, started_at: new Date(noon + 9) }),
  ];
  await insertInvocations(w.sql, InvocationRows.of(rows));
  await insertInvocations(w.sql, InvocationRows.of(rows));
  const counters = async () => {
    const [row] = await w.sql`
      select invocation_count::int as calls, error_count::int as errors, total_duration_ms::int as duration,
        last_invoked_at, last_status from functions`;
    return [
      row?.["calls"],
      row?.["errors"],
      row?.["duration"],
      row?.["last_invoked_at"].getTime() - noon,
      row?.["last_status"],
    ];
  };
  assert.deepEqual(await counters(), [3, 1, 60, 3, 500]);
  // What another node stores late is counted, but is not the last call.
  await insertInvocations(
    w.sql,
    InvocationRows.of([w.run({ started_at: new Date(noon), duration_ms: 5 })]),
  );
  assert.deepEqual(await counters(), [4, 1, 65, 3, 500]);
  assert.equal(await rowCount(w.sql), 5);
});

Deno.test(
  "a batch that PostgreSQL refuses fails, and the next one is stored",
  { timeout: 20_000 },
  async () => {
    await using w = await world();
    await ensureDayPartition(w.sql, new Date(noon));
    const { functionName: _, ...row } = w.run();
    const nowhere = { ...row, id: crypto.randomUUID(), started_at: new Date(noon + 5 * dayMs) };
    await assert.rejects(insertInvocations(w.sql, InvocationRows.of([row, nowhere])), /no partition/);
    await assert.rejects(insertInvocations(w.sql, InvocationRows.of([{ ...row, duration_ms: 0.5 }])), {
      code: "22P02",
    });
    assert.equal(await rowCount(w.sql), 0);
    for (let round = 0; round < 8; round++) {
      await insertInvocations(w.sql, InvocationRows.of([{ ...row, id: crypto.randomUUID() }]));
    }
    assert.equal(await rowCount(w.sql), 8);
  },
);

Deno.test("whatever a function prints or throws is stored, and read back as it was", async () => {
  await using w = await world();
  await using log = await w.openLog();
  const texts = [
    "tab\tline\nreturn\r",
    "back\\slash \\N \\.",
    "\\N",
    "\\.",
    "{\"json\": [1]} 'quoted'",
    "héllo 😀 漢字",
    "",
    "a,b\u2028c",
  ];
  for (const [at, text] of texts.entries()) {
    log.record(w.run({
      error_message: text,
      error_stack: text,
      path: `/${text}`,
      user_id: text,
      console_logs: [{ level: "log", message: text, timestamp: noon }],
      started_at: new Date(noon + at),
    }));
  }
  await log.flush();
  const rows = await w.sql`
    select error_message, error_stack, path, user_id, console_logs from function_invocations order by started_at`;
  assert.deepEqual(
    rows.map((
      row,
    ) => [row["error_message"], row["error_stack"], row["path"], row["user_id"], row["console_logs"]]),
    texts.map((text) => [text, text, `/${text}`, text, [{ level: "log", message: text, timestamp: noon }]]),
  );
});

Deno.test("what PostgreSQL cannot hold is replaced, and holds up no other row", async () => {
  await using w = await world();
  await using log = await w.openLog();
  log.record(w.run({
    error_message: "nul\0 half\ud800",
    path: "/\0",
    user_id: "u\0",
    console_logs: [{ level: "log", message: "\udc00 \0", timestamp: noon }],
  }));
  log.record(w.run({ error_message: "other", started_at: new Date(noon + 1) }));
  await log.flush();
  const rows = await w
    .sql`select error_message, path, console_logs from function_invocations order by started_at`;
  assert.deepEqual(rows.map((row) => row["error_message"]), ["nul\ufffd half\ufffd", "other"]);
  assert.equal(rows[0]?.["console_logs"][0].message, "\ufffd \ufffd");
});

Deno.test("a tail tells rows as they are stored, late ones too, and each of them once", async () => {
  await using w = await world();
  await using log = await w.openLog();
  const store = async (...runs: Partial<LoggedRun>[]) => {
    for (const fields of runs) log.record(w.run(fields));
    await log.flush();
  };
  const at = (ms: number) => new Date(noon + ms);
  const spans = (rows: { started_at: Date; completed_at: Date }[]) =>
    rows.map((row) => [row.started_at.getTime() - noon, row.completed_at.getTime() - noon]);
  await store({ started_at: at(-500), completed_at: at(-100) });
  const tailFrom = (since: Date | null, errorsOnly = false) =>
    new LogTail({ sql: w.sql, functionId: w.functionId, since, now: noon, longestRunMs: 60_000, errorsOnly });
  const [live, since, errors] = [tailFrom(null), tailFrom(at(-400)), tailFrom(null, true)];
  assert.deepEqual(spans(await live.next()), []);
  await store({ started_at: at(100), completed_at: at(110) });
  assert.deepEqual(spans(await live.next()), [[100, 110]]);
  // Began before the tail did, and ended after; then one that another node stores late.
  await store({ started_at: at(-450), completed_at: at(50) }, {
    started_at: at(90),
    completed_at: at(105),
    error_message: "x",
  });
  assert.deepEqual(spans(await live.next()), [[-450, 50], [90, 105]]);
  assert.deepEqual(spans(await live.next()), []);
  assert.deepEqual(spans(await since.next()), [[90, 105], [100, 110]]);
  assert.deepEqual(spans(await errors.next()), [[90, 105]]);
  for (let second = 1; second <= 30; second++) {
    await store({ started_at: at(second * 1000), completed_at: at(second * 1000 + 1) });
    assert.deepEqual(spans(await live.next()), [[second * 1000, second * 1000 + 1]]);
  }
});
