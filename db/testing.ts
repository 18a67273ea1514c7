// Databases for tests. All tests of one process share one embedded PostgreSQL, which a process of its own keeps until the
// tests' process is gone; each test gets a control database of its own, dropped with its apps' databases at the end.

import { join } from "node:path";
import { Secret } from "../core/config.ts";
import { type Logger, silentLogger } from "../core/log.ts";
import type { DatabaseIdentity } from "../core/principal.ts";
import { type AppDatabases, type Database, openDatabaseOn, type QueryResult } from "./mod.ts";
import { closeSql, openSql, type Server } from "./server.ts";
import { rowValues } from "./statement.ts";

export interface TestDatabase extends AsyncDisposable {
  readonly database: Database;
  readonly server: Server;
  /** For a server started as another process: its control database is this test's. */
  readonly databaseUrl: string;
}

export interface TestDatabaseOptions {
  controlConnections?: number;
  appConnections?: number;
  log?: Logger;
  /** How long a caller waits for a connection to an app's database. */
  waitMs?: number;
}

/** What the roles' passwords derive from in every test, since the roles are the cluster's. */
export const testSecret: Uint8Array = new Uint8Array(32).fill(7);

/** A database of the test's own, on the process's PostgreSQL, which the first call starts. */
export async function openTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { controlConnections = 4, appConnections = 16, log = silentLogger } = options;
  const cluster = await testCluster();
  const server: Server = { ...cluster, controlDatabase: `test_${crypto.randomUUID().replaceAll("-", "")}` };
  const database = await openDatabaseOn(server, {
    config: {
      DATABASE_URL: null,
      BUTTERBASE_CONTROL_CONNECTIONS: controlConnections,
      BUTTERBASE_APP_CONNECTIONS: appConnections,
    },
    log,
    secret: testSecret,
    ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
  });
  const made = new Set<string>();
  return {
    database: { ...database, apps: remembering(database.apps, made) },
    server,
    databaseUrl: urlOf(server),
    async [Symbol.asyncDispose]() {
      await database.close();
      const owner = openSql(server, "postgres", { max: 1 });
      for (const name of [...made, server.controlDatabase]) {
        await owner`drop database if exists ${owner(name)} with (force)`;
      }
      await closeSql(owner);
    },
  };
}

/** The same databases, noting in `made` what will have to be dropped. */
function remembering(apps: AppDatabases, made: Set<string>): AppDatabases {
  return {
    create(name) {
      made.add(name);
      return apps.create(name);
    },
    drop: (name) => apps.drop(name),
    exists: (name) => apps.exists(name),
    query: (...question) => apps.query(...question),
    begin: (...question) => apps.begin(...question),
    stats: () => apps.stats(),
    close: () => apps.close(),
  };
}

/** The process's PostgreSQL, without a database of the test's own. */
export async function testCluster(): Promise<Server> {
  const folder = join("/tmp", `butterbase-test-${Deno.pid}`);
  try {
    await Deno.mkdir(folder, { mode: 0o711 });
    await startKeeper(folder);
  } catch (error) {
    // Another test file of this process is starting it.
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const until = performance.now() + 60_000;
  for (;;) {
    const text = await Deno.readTextFile(join(folder, "server.json")).catch(() => undefined);
    if (text !== undefined) {
      const { path, user, password } = JSON.parse(text) as Record<"path" | "user" | "password", string>;
      return {
        endpoint: { kind: "unix", path },
        user,
        password: new Secret(password),
        controlDatabase: "postgres",
      };
    }
    const failure = await Deno.readTextFile(join(folder, "failure.txt")).catch(() => undefined);
    if (failure !== undefined) throw new Error(`The tests' PostgreSQL did not start: ${failure}`);
    if (performance.now() > until) throw new Error(`The tests' PostgreSQL did not start: see "${folder}"`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Through a shell that ends at once, so that no test is left with a child process. */
async function startKeeper(folder: string): Promise<void> {
  const program = new URL("testing_keeper.ts", import.meta.url).pathname;
  const { success } = await new Deno.Command("/bin/sh", {
    args: [
      "-c",
      '"$@" </dev/null >/dev/null 2>&1 &',
      "sh",
      Deno.execPath(),
      "run",
      "-A",
      "--no-check",
      program,
      folder,
      String(Deno.pid),
    ],
    detached: true,
  }).output();
  if (!success) throw new Error("Cannot start the keeper of the tests' PostgreSQL");
}

function urlOf({ endpoint, user, password, controlDatabase }: Server): string {
  const folder = endpoint.kind === "unix" ? endpoint.path.replace(/\/[^/]*$/, "") : "";
  return `postgres://${user}:${password.reveal()}@localhost/${controlDatabase}?host=${
    encodeURIComponent(folder)
  }`;
}

/** An app's database of a test's own, with short ways to ask it. */
export interface TestApp extends TestDatabase {
  readonly name: string;
  readonly apps: AppDatabases;
  /** Runs the text and gives the values as text. */
  run(identity: DatabaseIdentity, text: string, parameters?: (string | null)[]): Promise<(string | null)[][]>;
  /** The same after every session of the app was closed. */
  runOnNewConnection(identity: DatabaseIdentity, text: string): Promise<(string | null)[][]>;
  texts(result: QueryResult): (string | null)[][];
  /** Backends of this app for which the condition on pg_stat_activity holds. */
  backends(condition: string): Promise<number>;
  /** Ends every session of the app from the server's side. */
  endBackends(): Promise<void>;
}

export interface TestAppOptions extends TestDatabaseOptions {
  /** Another test app, on whose database server pools and control database this one is made too. */
  sharing?: TestApp;
}

export async function openTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const test = options.sharing ?? await openTestDatabase(options);
  const { apps } = test.database;
  const name = `app_${crypto.randomUUID().replaceAll("-", "")}`;
  await apps.create(name);
  const decoder = new TextDecoder();
  const texts = (result: QueryResult) =>
    rowValues(result).map((row) => row.map((value) => value && decoder.decode(value)));
  const run: TestApp["run"] = async (identity, text, parameters = []) =>
    texts(await apps.query(name, identity, { text, parameters }));

  async function asOwner(question: string): Promise<number> {
    const owner = openSql(test.server, "postgres", { max: 1 });
    const [row] = await owner.unsafe(question, [name]);
    await closeSql(owner);
    return Number(row?.count);
  }

  async function endBackends(): Promise<void> {
    await asOwner("select count(pg_terminate_backend(pid, 2000)) from pg_stat_activity where datname = $1");
    await new Promise((done) => setTimeout(done, 50));
  }

  return {
    ...test,
    name,
    apps,
    run,
    texts,
    endBackends,
    backends: (condition) =>
      asOwner(`select count(*) from pg_stat_activity where datname = $1 and (${condition})`),
    async runOnNewConnection(identity, text) {
      await endBackends();
      return await run(identity, text);
    },
    // What is shared is the other's to close, after this one.
    [Symbol.asyncDispose]: async () => {
      if (options.sharing === undefined) await test[Symbol.asyncDispose]();
    },
  };
}
