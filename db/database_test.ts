// The folder as a whole: a server's database from an empty folder, through the death of PostgreSQL, to a clean end.

import assert from "node:assert/strict";
import { Secret } from "../core/config.ts";
import { silentLogger } from "../core/log.ts";
import { anonymousIdentity, userIdentity } from "../core/principal.ts";
import { removeFolder } from "./embedded/binaries.ts";
import { type DatabaseConfig, openDatabase } from "./mod.ts";
import { parseDatabaseUrl } from "./server.ts";
import { openTestDatabase, testSecret } from "./testing.ts";

const config: DatabaseConfig = {
  DATABASE_URL: null,
  BUTTERBASE_CONTROL_CONNECTIONS: 2,
  BUTTERBASE_APP_CONNECTIONS: 4,
};

Deno.test("pools and notices come back after PostgreSQL was killed", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "butterbase-database-" });
  try {
    await using database = await openDatabase({
      config,
      dataDir,
      log: silentLogger,
      secret: testSecret,
      durability: "fast",
    });
    const { apps, notices } = database;
    await apps.create("app_one");
    const who = () =>
      apps.query("app_one", userIdentity("ada"), { text: "select current_user_id()", parameters: [] });
    await who();
    const before = await database.health();
    assert.deepEqual([before.ok, before.server, before.notices], [true, "embedded", true]);
    const reconnected = new Promise<void>((done) => notices.onReconnect(done));

    Deno.kill(before.processIds?.postgres ?? assert.fail(), "SIGKILL");
    await new Promise((done) => setTimeout(done, 50));
    assert.equal((await who()).rowCount, 1);
    await reconnected;
    const [row] = await database.control`select 1 as one`;
    assert.equal(row?.one, 1);
    assert.equal((await database.health()).ok, true);
  } finally {
    await removeFolder(dataDir);
  }
});

Deno.test("DATABASE_URL's own database becomes the control database, and two nodes share it", async () => {
  await using test = await openTestDatabase();
  const shared = {
    config: { ...config, DATABASE_URL: new Secret(test.databaseUrl) },
    dataDir: "/nonexistent",
    log: silentLogger,
    secret: testSecret,
  };
  await using one = await openDatabase(shared);
  await using two = await openDatabase(shared);
  const [row] = await one.control`select current_database() as name`;
  assert.equal(row?.name, test.server.controlDatabase);
  const heard = new Promise<string>((done) => two.notices.subscribe("t", done));
  await one.notices.publish("t", "hello");
  assert.equal(await heard, "hello");
  const name = test.server.controlDatabase.replace("test", "app");
  await test.database.apps.create(name);
  const asked = await two.apps.query(name, anonymousIdentity, { text: "select 1", parameters: [] });
  assert.equal(asked.rowCount, 1);
  assert.equal((await two.health()).server, "external");
});

Deno.test("parseDatabaseUrl() reads every part, and its errors show none of it", () => {
  const parsed = parseDatabaseUrl("postgresql://me:p%40ss@db.example:6000/main?sslmode=verify-full");
  assert.deepEqual(parsed.endpoint, { kind: "tcp", hostname: "db.example", port: 6000, tls: "verify" });
  assert.deepEqual([parsed.user, parsed.password.reveal(), parsed.controlDatabase], ["me", "p@ss", "main"]);
  assert.deepEqual(parseDatabaseUrl("postgres://me@[::1]").endpoint, {
    kind: "tcp",
    hostname: "::1",
    port: 5432,
    tls: "off",
  });
  const onSocket = parseDatabaseUrl("postgres://me:x@/main?host=/run/postgresql");
  assert.deepEqual(onSocket.endpoint, { kind: "unix", path: "/run/postgresql/.s.PGSQL.5432" });
  assert.equal(parseDatabaseUrl("postgres://me:x@h").controlDatabase, "butterbase_control");
  for (const wrong of ["postgres://h/main", "postgres://me:secret@h/main?sslmode=maybe"]) {
    assert.throws(() => parseDatabaseUrl(wrong), (error: Error) => !error.message.includes("secret"));
  }
});

Deno.test("a server that is not there is named as that, without its URL", async () => {
  const DATABASE_URL = new Secret("postgres://me:secret@localhost/main?host=/nonexistent");
  await assert.rejects(
    openDatabase({
      config: { ...config, DATABASE_URL },
      dataDir: "/nonexistent",
      log: silentLogger,
      secret: testSecret,
    }),
    (error: Error & { code: string }) =>
      error.code === "EXTERNAL_DB_ERROR" && !error.message.includes("secret"),
  );
});
