// What an operator sees of the embedded PostgreSQL: it starts in an empty folder, has one owner, outlives no server, and
// comes back by itself when killed.

import assert from "node:assert/strict";
import { join } from "node:path";
import { silentLogger } from "../../core/log.ts";
import { closeSql, openSql } from "../server.ts";
import { removeFolder } from "./binaries.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./mod.ts";
import { isPostgresOf } from "./postmaster_file.ts";

const projectFile = new URL("../../deno.json", import.meta.url).pathname;
const moduleUrl = new URL("mod.ts", import.meta.url).href;

interface Folder extends AsyncDisposable {
  readonly path: string;
}

async function temporaryFolder({ below = "" } = {}): Promise<Folder> {
  const root = await Deno.makeTempDir({ prefix: "butterbase-embedded-" });
  await Deno.chmod(root, 0o711);
  return { path: join(root, below), [Symbol.asyncDispose]: () => removeFolder(root) };
}

function start(dataDir: string): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir, log: silentLogger, durability: "fast", connections: 10 });
}

async function ask(embedded: EmbeddedPostgres, question: string): Promise<unknown> {
  const sql = openSql(embedded.server, "postgres", { max: 1 });
  try {
    const [row] = await sql.unsafe(question);
    return Object.values(row ?? {})[0];
  } finally {
    await closeSql(sql);
  }
}

async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + 15_000;
  while (!await isSo()) {
    if (performance.now() > until) throw new Error(`Not so after 15 s: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

function isAlive(pid: number): boolean {
  try {
    // A zombie has ended; only its parent has not looked yet.
    return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** A server as a process of its own, which prints the ids of its PostgreSQL. */
async function spawnServer(
  dataDir: string,
): Promise<{ child: Deno.ChildProcess; postgres: number; keeper: number }> {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(moduleUrl)};
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const embedded = await startEmbeddedPostgres({
      dataDir: ${JSON.stringify(dataDir)}, log, durability: "fast", connections: 10,
    });
    console.log(JSON.stringify(embedded.processIds()));
    setInterval(() => {}, 1000);`;
  const file = `${dataDir}.ts`;
  await Deno.writeTextFile(file, program);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", projectFile, file],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  await child.stdout.cancel();
  return { child, ...JSON.parse(new TextDecoder().decode(value)) };
}

Deno.test("an empty folder becomes a database, which keeps its data over a stop and a start", async () => {
  await using folder = await temporaryFolder();
  const first = await start(folder.path);
  assert.equal(await ask(first, "create table kept (n int)"), undefined);
  assert.match(String(await ask(first, "show server_version")), /^18\./);
  assert.equal(await ask(first, "show listen_addresses"), "");
  const { postgres, keeper } = first.processIds() ?? assert.fail();
  await first.stop();
  assert.equal(isAlive(postgres) || isAlive(keeper), false);

  const second = await start(folder.path);
  assert.equal(await ask(second, "select count(*)::int from kept"), 0);
  await second.stop();
  for (const secret of ["postgres-password", "lock", "postgres.log"]) {
    assert.equal((await Deno.stat(join(folder.path, secret))).mode! & 0o077, 0, secret);
  }
});

Deno.test("a second start in the same folder is refused and names the process that has it", async () => {
  await using folder = await temporaryFolder();
  const { child, postgres } = await spawnServer(`${folder.path}/data`);
  await assert.rejects(start(`${folder.path}/data`), { message: new RegExp(`process ${child.pid} uses it`) });
  child.kill("SIGKILL");
  await child.status;
  await eventually("PostgreSQL ends with its server", () => !isAlive(postgres));
});

Deno.test("after kill -9 of the server its PostgreSQL ends, and the next start finds the data", async () => {
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/data`;
  const { child, postgres, keeper } = await spawnServer(dataDir);
  child.kill("SIGKILL");
  await child.status;
  // At once: the old one may still be shutting down.
  const next = await start(dataDir);
  assert.equal(isAlive(postgres), false);
  await eventually("the keeper has ended", () => !isAlive(keeper));
  assert.equal(await ask(next, "select 1"), 1);
  await next.stop();
});

Deno.test("a PostgreSQL whose keeper was killed with the server is stopped by the next start", async () => {
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/data`;
  const { child, postgres, keeper } = await spawnServer(dataDir);
  const watcher = Number(
    (await Deno.readTextFile(`/proc/${keeper}/task/${keeper}/children`)).split(" ")
      .find((pid) => Number(pid) > 0 && Number(pid) !== postgres),
  );
  for (const pid of [watcher, keeper]) Deno.kill(pid, "SIGKILL");
  child.kill("SIGKILL");
  await child.status;
  const next = await start(dataDir);
  assert.equal(isAlive(postgres), false);
  assert.notEqual(next.processIds()?.postgres, postgres);
  await next.stop();
});

Deno.test("PostgreSQL killed under a running server is started again", async () => {
  await using folder = await temporaryFolder();
  const embedded = await start(folder.path);
  const before = embedded.processIds() ?? assert.fail();
  // A backend that is busy does not see its main process die.
  const sql = openSql(embedded.server, "postgres", { max: 1 });
  const [busy] = await sql`select pg_backend_pid() as pid`;
  const looping = sql`do $$ begin loop end loop; end $$`.catch(() => {});
  await new Promise((done) => setTimeout(done, 100));
  Deno.kill(before.postgres, "SIGKILL");
  await eventually("another PostgreSQL runs", () => {
    const now = embedded.processIds();
    return now !== undefined && now.postgres !== before.postgres;
  });
  assert.equal(await ask(embedded, "select 1"), 1);
  assert.equal(isAlive(busy?.pid), false);
  await looping;
  await closeSql(sql);
  // The keeper alone killed: its PostgreSQL is taken down and replaced too.
  const between = embedded.processIds() ?? assert.fail();
  Deno.kill(between.keeper, "SIGKILL");
  await eventually("a third PostgreSQL runs", () => {
    const now = embedded.processIds();
    return now !== undefined && now.postgres !== between.postgres;
  });
  assert.equal(isAlive(between.postgres), false);
  await embedded.stop();
});

Deno.test("a start interrupted half way, a stale pid file and a deep folder do not stop the next start", async () => {
  await using folder = await temporaryFolder({ below: "deep/".repeat(20) });
  await Deno.mkdir(join(folder.path, "pgdata.new"), { recursive: true });
  await Deno.writeTextFile(join(folder.path, "pgdata.new", "PG_VERSION"), "18\n");
  await Deno.mkdir(join(folder.path, "postgres", "18.4.0-beta.17.new", "bin"), { recursive: true });
  const first = await start(folder.path);
  const { endpoint } = first.server;
  assert.ok(endpoint.kind === "unix" && endpoint.path.length < 100 && !endpoint.path.startsWith(folder.path));
  await first.stop();
  // The id of a process that is no PostgreSQL: ours.
  const pgdata = join(folder.path, "pgdata");
  await Deno.writeTextFile(
    join(pgdata, "postmaster.pid"),
    `${Deno.pid}\n${pgdata}\n0\n5432\n\n\n0 0\nready   \n`,
  );
  assert.equal(await isPostgresOf(pgdata, Deno.pid), false);
  const second = await start(folder.path);
  assert.equal(await ask(second, "select 1"), 1);
  await second.stop();
  await removeFolder(endpoint.path.slice(0, endpoint.path.lastIndexOf("/")));
});

Deno.test({
  name: "a folder that PostgreSQL's account may not enter is named, with the way out",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using folder = await temporaryFolder({ below: "closed/data" });
    await Deno.mkdir(join(folder.path, ".."), { mode: 0o700 });
    await assert.rejects(start(folder.path), (error: { message: string; remediation: string }) => {
      assert.match(error.message, /may not enter ".*\/closed"/);
      assert.match(error.remediation, /BUTTERBASE_DATA_DIR/);
      return true;
    });
  },
});
