// What SQL must not do, as an anonymous caller's role and as the service's.

import type { ReachAttack } from "../attack.ts";

function bySql(name: string, guarantee: string, program: string): ReachAttack {
  return {
    kind: "reach",
    name,
    guarantee,
    program: `
    const roles = {
      anon: (run) => ctx.db.asAnon(run),
      service: (run) => ctx.db.asService(run),
    };
${program}`,
  };
}

/** Attempts, each in a transaction of its own, and once more when the transaction was ended before. */
const tryEach = (statements: Readonly<Record<string, string>>) => `
    for (const [what, text] of Object.entries(${JSON.stringify(statements)})) {
      for (const [role, as] of Object.entries(roles)) {
        const wanted = text.replaceAll("{neighbour}", bait.neighbour.app);
        await attempt(what + " as " + role, async () => (await as((db) => db.query(wanted))).rows);
      }
      await attempt(what + " after COMMIT", async () => {
        const wanted = text.replaceAll("{neighbour}", bait.neighbour.app);
        return (await ctx.db.asService(async (db) => { await db.query("commit"); return await db.query(wanted); })).rows;
      });
    }`;

export const sql: readonly ReachAttack[] = [
  bySql(
    "become another database role",
    "SQL changes no role",
    `
    for (const text of [
      "reset role", "set role butterbase_service", "set role butterbase_user", "set role postgres", "set role none",
      "set local role butterbase_service", "set session authorization butterbase_service",
      "set session authorization default", "select set_config('role', 'butterbase_service', false)",
      "select set_config('role', 'butterbase_service', true)", "select set_config('role', 'none', false)",
      "select set_config('session_authorization', 'butterbase_service', false)",
      "do $$ begin execute 'set role butterbase_service'; end $$",
      "update pg_settings set setting = 'butterbase_service' where name = 'role'",
      "discard all",
    ]) {
      for (const [role, as] of Object.entries(roles)) {
        await attempt(text + " as " + role, () => as(async (db) => {
          await db.query(text);
          const { rows } = await db.query("select current_user as c, session_user as s");
          const own = "butterbase_" + role;
          if (rows[0].c === own && rows[0].s === own) throw new Error("still " + own);
          return rows[0];
        }));
      }
    }` + tryEach({
      "grant": "grant butterbase_service to butterbase_anon with set true",
      "grant a predefined role": "grant pg_read_server_files to butterbase_service",
      "bypass row-level security": "alter role butterbase_anon bypassrls",
      "be superuser": "alter role butterbase_service superuser",
      "make a role": "create role intruder superuser login",
      "passwords": "select rolpassword from pg_authid",
    }),
  ),
  bySql(
    "leave the database by SQL",
    "SQL runs no program, reads no file, and reaches no other database",
    tryEach({
      "COPY to a program": "copy (select 1) to program 'id'",
      "COPY from a program": "create table if not exists copied (x text); copy copied from program 'id'",
      "COPY from a file": "create table if not exists copied (x text); copy copied from '/etc/passwd'",
      "COPY to a file": "copy (select 1) to '/tmp/hostile'",
      "pg_read_file": "select pg_read_file('/etc/passwd')",
      "pg_read_binary_file": "select pg_read_binary_file('/etc/passwd')",
      "pg_stat_file": "select pg_stat_file('/etc/passwd')",
      "pg_ls_dir": "select pg_ls_dir('.')",
      "pg_ls_logdir": "select pg_ls_logdir()",
      "lo_import": "select lo_import('/etc/passwd')",
      "lo_export": "select lo_export(1, '/tmp/hostile')",
      "dblink": "create extension dblink",
      "dblink_connect": "select dblink_connect('dbname={neighbour}')",
      "postgres_fdw": "create extension postgres_fdw",
      "file_fdw": "create extension file_fdw",
      "a foreign server":
        "create server elsewhere foreign data wrapper postgres_fdw options (dbname '{neighbour}')",
      "a subscription":
        "create subscription elsewhere connection 'dbname={neighbour}' publication everything",
      "a function in C":
        "create function sneak() returns int language c as '/lib/x86_64-linux-gnu/libc.so.6', 'getpid'",
      "a function in internal": "create function sneak() returns int language internal as 'pg_read_file_all'",
      "an untrusted language": "create extension plpython3u",
      "LOAD": "load 'auto_explain'",
      "the control database": "select * from butterbase_control.public.platform_keys",
      "the neighbour's database": "select * from {neighbour}.public.kept",
      "drop the neighbour's database": "drop database {neighbour}",
      "rename the neighbour's database": "alter database {neighbour} rename to mine",
      "copy the neighbour's database": "create database mine template {neighbour}",
      "other sessions' queries": "select query from pg_stat_activity where pid <> pg_backend_pid()",
      "end other sessions":
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()",
      "ALTER SYSTEM": "alter system set log_statement = 'all'",
      "ALTER DATABASE": "alter database {neighbour} set default_transaction_read_only = on",
      "reload the settings": "select pg_reload_conf()",
      "a settings file": "select * from pg_file_settings",
      "who may log in": "select * from pg_hba_file_rules",
    }),
  ),
];
