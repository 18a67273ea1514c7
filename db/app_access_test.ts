// Who may do what in an app's database, seen from SQL as the three roles: row-level security decides for end users, and no
// role reaches anything outside its app.

import assert from "node:assert/strict";
import {
  anonymousIdentity,
  type DatabaseIdentity,
  serviceIdentity,
  userIdentity,
} from "../core/principal.ts";
import { QueryError } from "./mod.ts";
import { closeSql, openSql } from "./server.ts";
import { openTestApp } from "./testing.ts";

const ada = userIdentity("ada", { sub: "ada", role: "member" });
const everyone = [ada, anonymousIdentity, serviceIdentity];

Deno.test("a table without row-level security is closed to end users and anonymous callers, by name", async () => {
  await using app = await openTestApp();
  await app.run(serviceIdentity, "create table notes (id int)");
  for (const identity of [ada, anonymousIdentity]) {
    for (const text of ["select * from notes", "insert into notes values (1)", "delete from notes"]) {
      await assert.rejects(app.run(identity, text), { code: "RLS_NOT_ENABLED", details: { table: "notes" } });
    }
  }
  await app.run(serviceIdentity, "insert into notes values (1)");
  assert.deepEqual(await app.run(serviceIdentity, "select id from notes"), [["1"]]);
});

Deno.test("with row-level security a user sees what the policies show, and turning it off closes the table again", async () => {
  await using app = await openTestApp();
  await app.run(serviceIdentity, "create table notes (id serial, owner text)");
  await app.run(serviceIdentity, "insert into notes (owner) values ('ada'), ('bob')");
  await app.run(serviceIdentity, "alter table notes enable row level security");
  await app.run(serviceIdentity, "create policy own on notes using (owner = current_user_id())");
  assert.deepEqual(await app.run(ada, "select owner from notes"), [["ada"]]);
  assert.deepEqual(await app.run(anonymousIdentity, "select owner from notes"), []);
  await app.run(ada, "insert into notes (owner) values ('ada')");
  await assert.rejects(app.run(ada, "insert into notes (owner) values ('bob')"), { code: "42501" });
  assert.equal((await app.run(serviceIdentity, "select owner from notes")).length, 3);

  await app.run(serviceIdentity, "alter table notes disable row level security");
  await assert.rejects(app.run(ada, "select * from notes"), { code: "RLS_NOT_ENABLED" });
  await app.run(serviceIdentity, "select butterbase.set_table_open('notes', true)");
  assert.equal((await app.run(anonymousIdentity, "select * from notes")).length, 3);
  await app.run(serviceIdentity, "alter table notes add extra int");
  assert.equal((await app.run(anonymousIdentity, "select * from notes")).length, 3);
  await assert.rejects(app.run(ada, "select butterbase.set_table_open('notes', true)"), { code: "42501" });
  await app.run(serviceIdentity, "select butterbase.set_table_open('notes', false)");
  await assert.rejects(app.run(anonymousIdentity, "select * from notes"), { code: "RLS_NOT_ENABLED" });
});

Deno.test("tables made in every other way are closed too, and so are names that begin with an underscore", async () => {
  await using app = await openTestApp();
  await app.run(serviceIdentity, "create table base (id int); alter table base enable row level security");
  await app.run(serviceIdentity, "create policy none on base using (false); insert into base values (1)");
  await app.run(serviceIdentity, "create table copied as select * from base");
  await app.run(serviceIdentity, "select * into selected from base");
  await app.run(serviceIdentity, "create view plain_view as select * from base");
  await app.run(
    serviceIdentity,
    "create view careful_view with (security_invoker=true) as select * from base",
  );
  await app.run(serviceIdentity, "create table _own (id int); alter table _own enable row level security");
  for (const table of ["copied", "selected"]) {
    await assert.rejects(app.run(ada, `select * from ${table}`), { code: "RLS_NOT_ENABLED" });
  }
  for (const name of ["plain_view", "_own", "_idempotency_keys"]) {
    await assert.rejects(app.run(ada, `select * from ${name}`), { name: "QueryError", code: "42501" });
  }
  assert.deepEqual(await app.run(ada, "select * from careful_view"), []);
  await app.run(serviceIdentity, "insert into _idempotency_keys (key) values ('once')");
  await assert.rejects(app.run(serviceIdentity, "drop table _idempotency_keys"), { code: "42501" });
});

Deno.test("the login is the role: nothing in SQL changes it", async () => {
  await using app = await openTestApp();
  for (const identity of everyone) {
    for (const text of ["select 1", "reset role", "set role none", "set session authorization default"]) {
      const rows = await app.run(identity, `${text}; select current_user, session_user`);
      assert.deepEqual(rows, [[identity.role, identity.role]]);
    }
    for (const other of ["butterbase_owner", ...everyone.map(({ role }) => role)]) {
      if (other === identity.role) continue;
      await assert.rejects(app.run(identity, `set role ${other}`), { code: "42501" });
      await assert.rejects(app.run(identity, `set session authorization ${other}`), { code: "42501" });
    }
  }
  const [user] = await app.run(ada, "select current_user_id(), current_setting('app.role')");
  assert.deepEqual(user, ["ada", "butterbase_user"]);
  assert.deepEqual(await app.run(anonymousIdentity, "select current_user_id()"), [[null]]);
});

const forbidden = [
  "select pg_read_file('/etc/passwd')",
  "select pg_ls_dir('/')",
  "copy (select 1) to program 'true'",
  "copy (select 1) to '/tmp/butterbase-leak'",
  "select lo_import('/etc/passwd')",
  "select lo_create(0)",
  "create extension dblink",
  "create extension file_fdw",
  "select * from pg_authid",
  "select * from pg_database",
  "select * from pg_stat_activity",
  "select pg_terminate_backend(pg_backend_pid())",
  "select pg_cancel_backend(1)",
  "alter system set work_mem = '1GB'",
  "create role evil",
  "create database evil",
  "create schema evil",
  "alter role butterbase_service superuser",
  "drop event trigger butterbase_table_changed",
  "alter event trigger butterbase_table_changed disable",
  "drop function butterbase.settle_access(oid) cascade",
  "truncate butterbase.open_tables",
  "insert into butterbase.open_tables values (1)",
  "create or replace function current_user_id() returns text language sql as 'select null'",
  "create function evil() returns int language c as 'libc', 'system'",
];

Deno.test("no role gets at files, programs, other apps, the cluster or the platform's own objects", async () => {
  await using app = await openTestApp();
  for (const identity of everyone) {
    for (const text of forbidden) {
      await assert.rejects(app.run(identity, text), QueryError, `${identity.role}: ${text}`);
    }
  }
  for (const identity of [ada, anonymousIdentity]) {
    await assert.rejects(app.run(identity, "create table mine (id int)"), { code: "42501" });
  }
});

Deno.test("the roles cannot log in to the control database or to the server's own", async () => {
  await using app = await openTestApp();
  const owner = openSql(app.server, "postgres", { max: 1 });
  for (const database of [app.server.controlDatabase, "postgres", "template1"]) {
    for (const { role } of everyone) {
      const [row] = await owner`select has_database_privilege(${role}, ${database}, 'connect') as may`;
      assert.equal(row?.may, false, `${role} on ${database}`);
      await assert.rejects(
        app.apps.query(database, { ...serviceIdentity, role }, { text: "select 1", parameters: [] }),
        {
          code: "EXTERNAL_DB_ERROR",
        },
      );
    }
  }
  const attributes =
    await owner`select rolname, rolsuper or rolcreatedb or rolcreaterole or rolreplication as powerful,
    rolbypassrls from pg_roles where rolname in ('butterbase_user', 'butterbase_anon', 'butterbase_service') order by 1`;
  assert.deepEqual(attributes.map((row) => [row.powerful, row.rolbypassrls]), [
    [false, false],
    [false, true],
    [false, false],
  ]);
  await closeSql(owner);
});

Deno.test("what SQL does to its own role harms no other app: password, defaults and grants are mended", async () => {
  await using attacker = await openTestApp();
  await using other = await openTestApp({ sharing: attacker });
  const attacks = [
    "alter role butterbase_user password 'mine now'",
    "alter role butterbase_user set default_transaction_read_only = on",
    "alter role butterbase_user set local_preload_libraries = 'no_such_library'",
    "alter role butterbase_user set statement_timeout = 1",
    "drop owned by butterbase_user",
  ];
  for (const attack of attacks) {
    await attacker.run(ada, attack);
    assert.deepEqual(
      await other.runOnNewConnection(ada, "select current_user_id(), current_setting('statement_timeout')"),
      [
        ["ada", "0"],
      ],
      attack,
    );
    assert.deepEqual(await other.runOnNewConnection(ada, "show transaction_read_only"), [["off"]], attack);
  }
});

Deno.test("create() finishes what a crash left half done, and drop() removes the app while it is in use", async () => {
  await using app = await openTestApp();
  const owner = openSql(app.server, app.name, { max: 1 });
  await owner`drop table _idempotency_keys`;
  await owner`drop event trigger butterbase_table_changed`;
  await closeSql(owner);
  await Promise.all([app.apps.create(app.name), app.apps.create(app.name)]);
  assert.deepEqual(await app.run(serviceIdentity, "select count(*) from _idempotency_keys"), [["0"]]);
  const held = await app.apps.begin(app.name, serviceIdentity);
  await app.apps.drop(app.name);
  assert.equal(await app.apps.exists(app.name), false);
  await assert.rejects(held.query({ text: "select 1", parameters: [] }));
  await assert.rejects(app.run(serviceIdentity as DatabaseIdentity, "select 1"), {
    code: "EXTERNAL_DB_ERROR",
  });
  await app.apps.drop(app.name);
});

Deno.test("create() run again executes nothing that the app has put in its way", async () => {
  await using app = await openTestApp();
  await app.run(
    serviceIdentity,
    `create table caught (who text);
    create function trap() returns boolean language plpgsql as $$
      begin insert into public.caught values (current_user); return true; end $$;
    create function hostile_equals(oid, regnamespace) returns boolean language sql as 'select public.trap()';
    create function hostile_like(name, text) returns boolean language sql as 'select public.trap()';
    create function format(text, regprocedure) returns text language sql as 'select public.trap()::text';
    create function format(text, text) returns text language sql as 'select public.trap()::text';
    create operator = (leftarg = oid, rightarg = regnamespace, function = hostile_equals);
    create operator ~~ (leftarg = name, rightarg = text, function = hostile_like)`,
  );
  await app.apps.create(app.name);
  await app.run(serviceIdentity, "create table later (id int)");
  assert.deepEqual(await app.run(serviceIdentity, "select who from caught"), []);
});
