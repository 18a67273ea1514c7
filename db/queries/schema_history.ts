// The history of an app's schema, in the app's own database: an entry is written in the transaction of the change.

import { rowValues } from "../statement.ts";
import type { RunStatement } from "./catalogue.ts";

export interface MigrationEntry {
  id: number;
  description: string;
  applied_sql: string;
  applied_at: string;
}

/** Adds an entry; its id. */
export async function recordMigration(
  run: RunStatement,
  { description, sql }: { description: string; sql: string },
): Promise<number> {
  const rows = rowValues(
    await run({
      text: "insert into butterbase.migrations (description, applied_sql) values ($1, $2) returning id",
      parameters: [description, sql],
    }),
  );
  return Number(new TextDecoder().decode(rows[0]?.[0] as Uint8Array));
}

/** All entries, newest first. */
export async function listMigrations(run: RunStatement): Promise<MigrationEntry[]> {
  const decoder = new TextDecoder();
  const rows = rowValues(
    await run({
      text: `select json_build_object('id', id, 'description', description, 'applied_sql', applied_sql,
        'applied_at', to_char(applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        from butterbase.migrations order by id desc`,
      parameters: [],
    }),
  );
  return rows.map(([row]) => JSON.parse(decoder.decode(row as Uint8Array)));
}
