// Policies of an app's tables, asked of PostgreSQL's catalogs in the app's own database.

import { rowValues } from "../statement.ts";
import type { RunStatement } from "./catalogue.ts";

export interface PolicyRow {
  schemaname: string;
  tablename: string;
  policyname: string;
  permissive: "PERMISSIVE" | "RESTRICTIVE";
  roles: string[];
  cmd: string;
  qual: string | null;
  with_check: string | null;
}

/** What keeps a role from using a table at all. */
export interface TableFault {
  role: string;
  command: string;
  /** SQLSTATE. */
  code: string;
  message: string;
}

/** All policies but those of tables whose name begins with `_`. */
export async function listPolicies(run: RunStatement): Promise<PolicyRow[]> {
  return await objects<PolicyRow>(
    run,
    `select json_build_object('schemaname', p.schemaname, 'tablename', p.tablename, 'policyname', p.policyname,
      'permissive', p.permissive, 'roles', p.roles, 'cmd', p.cmd, 'qual', p.qual, 'with_check', p.with_check)
    from pg_policies p where p.schemaname = 'public' and left(p.tablename, 1) <> '_'
    order by p.tablename collate "C", p.policyname collate "C"`,
  );
}

/** Names of the tables with row-level security, but for those that begin with `_`. */
export async function tablesWithRowSecurity(run: RunStatement): Promise<string[]> {
  return await objects<string>(
    run,
    `select to_json(c.relname) from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relrowsecurity
      and left(c.relname, 1) <> '_' order by c.relname collate "C"`,
  );
}

export async function policyNames(run: RunStatement, tableOid: number): Promise<string[]> {
  return await objects<string>(run, "select to_json(polname) from pg_policy where polrelid = $1::int8::oid", [
    String(tableOid),
  ]);
}

export async function hasTrigger(
  run: RunStatement,
  { tableOid, name }: { tableOid: number; name: string },
): Promise<boolean> {
  const found = await objects<number>(
    run,
    "select to_json(1) from pg_trigger where tgrelid = $1::int8::oid and tgname = $2",
    [String(tableOid), name],
  );
  return found.length > 0;
}

/**
 * Names of the other tables that a policy reads and of which the role sees no row: they have row-level security, and no
 * policy lets that role select. PostgreSQL itself keeps what an expression reads.
 */
export async function unseenTables(
  run: RunStatement,
  { tableOid, policy, role }: { tableOid: number; policy: string; role: string },
): Promise<string[]> {
  return await objects<string>(
    run,
    `select distinct to_json(c.relname)::text collate "C" from pg_policy p
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass
    join pg_class c on c.oid = d.refobjid and c.oid <> p.polrelid and c.relrowsecurity
    where p.polrelid = $1::int8::oid and p.polname = $2 and not exists (
      select from pg_policy q where q.polrelid = c.oid and q.polpermissive and q.polcmd in ('r', '*')
        and q.polroles && array[0::oid, (select r.oid from pg_roles r where r.rolname = $3)])
    order by 1`,
    [String(tableOid), policy, role],
  );
}

/** What end users and anonymous callers run into whatever the rows are, as PostgreSQL plans each kind of statement. */
export async function tableFaults(run: RunStatement, table: string): Promise<TableFault[]> {
  return await objects<TableFault>(
    run,
    `select json_build_object('role', f.role, 'command', f.command, 'code', f.code, 'message', f.message)
    from butterbase.table_faults($1) f`,
    [table],
  );
}

async function objects<Value>(
  run: RunStatement,
  text: string,
  parameters: readonly string[] = [],
): Promise<Value[]> {
  const decoder = new TextDecoder();
  return rowValues(await run({ text, parameters })).map(([value]) =>
    JSON.parse(decoder.decode(value as Uint8Array))
  );
}
