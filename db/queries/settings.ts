// What the whole platform remembers once: its database is marked with a few named values.

import type { Sql } from "postgres";

export async function readPlatformSetting(sql: Sql, name: string): Promise<string | null> {
  const [row] = await sql<{ value: string }[]>`select value from platform_settings where name = ${name}`;
  return row?.value ?? null;
}

/** Stores the value unless there is one; answers the one that counts. */
export async function claimPlatformSetting(sql: Sql, name: string, value: string): Promise<string> {
  await sql`insert into platform_settings (name, value) values (${name}, ${value}) on conflict do nothing`;
  return await readPlatformSetting(sql, name) as string;
}

/** Stores the value in place of any other. */
export async function storePlatformSetting(sql: Sql, name: string, value: string): Promise<void> {
  await sql`
    insert into platform_settings (name, value) values (${name}, ${value})
    on conflict (name) do update set value = excluded.value`;
}
