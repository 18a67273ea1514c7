// The three roles that apps' SQL logs in as, the same on every app's database: no power over the cluster, no membership in
// one another. Their passwords derive from the server's secret, so that every node knows them and none is stored.

import type { Sql } from "postgres";
import type { DatabaseRole } from "../core/principal.ts";
import { scramVerifier } from "./wire/mod.ts";

export const databaseRoles = ["butterbase_user", "butterbase_anon", "butterbase_service"] as const;
databaseRoles satisfies readonly DatabaseRole[];

/** Key of the advisory lock, on the control database, under which roles and databases are changed. */
export const clusterLock = 4_217_001n;

export interface AppRoles {
  password(role: DatabaseRole): Promise<string>;
  /** Creates what is missing and takes away what a role should not have. */
  ensure(): Promise<void>;
  /** Resets the password and the defaults of a role: SQL running as it may change both, for every app. */
  mend(role: DatabaseRole): Promise<void>;
}

export function createAppRoles({ control, secret }: { control: Sql; secret: Uint8Array }): AppRoles {
  const passwords = new Map<DatabaseRole, Promise<string>>();

  function password(role: DatabaseRole): Promise<string> {
    const known = passwords.get(role) ?? derivePassword(secret, role);
    passwords.set(role, known);
    return known;
  }

  async function ensure(): Promise<void> {
    await control.begin(async (sql) => {
      await sql`select pg_advisory_xact_lock(${clusterLock.toString()})`;
      const known = await sql<{ rolname: DatabaseRole }[]>`
        select rolname from pg_roles where rolname in ${sql([...databaseRoles])}`;
      for (const role of databaseRoles) {
        const verb = known.some(({ rolname }) => rolname === role) ? "alter" : "create";
        const setting = verb === "create" ? ` password '${await scramVerifier(await password(role))}'` : "";
        await sql.unsafe(`${verb} role ${role} with ${attributesOf(role)}${setting}`);
      }
      const memberships = await sql<{ granted: string; member: string }[]>`
        select r.rolname as granted, m.rolname as member from pg_auth_members a
        join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member
        where m.rolname in ${sql([...databaseRoles])}`;
      for (const { granted, member } of memberships) {
        await sql`revoke ${sql(granted)} from ${sql(member)}`;
      }
    });
  }

  async function mend(role: DatabaseRole): Promise<void> {
    const verifier = await scramVerifier(await password(role));
    await control.begin(async (sql) => {
      await sql`select pg_advisory_xact_lock(${clusterLock.toString()})`;
      await sql.unsafe(`alter role ${role} password '${verifier}'`);
      const changed = await sql<{ datname: string | null }[]>`
        select d.datname from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase
        where s.setrole = ${role}::regrole`;
      for (const { datname } of changed) {
        if (datname === null) await sql.unsafe(`alter role ${role} reset all`);
        else await sql`alter role ${sql(role)} in database ${sql(datname)} reset all`;
      }
    });
  }

  return { password, ensure, mend };
}

function attributesOf(role: DatabaseRole): string {
  const rowSecurity = role === "butterbase_service" ? "bypassrls" : "nobypassrls";
  return `login ${rowSecurity} nosuperuser nocreatedb nocreaterole noreplication noinherit connection limit -1`;
}

async function derivePassword(secret: Uint8Array, role: DatabaseRole): Promise<string> {
  const raw = new Uint8Array(secret);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const message = new TextEncoder().encode(`butterbase database role ${role}`);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message)).toHex();
}
