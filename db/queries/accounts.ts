// Accounts: the people who own apps and keys.

import type { Sql } from "postgres";
import type { AccountId } from "../../core/ids.ts";

export interface AccountRow {
  id: AccountId;
  email: string;
  name: string;
  operator: boolean;
  disabled_at: Date | null;
  created_at: Date;
}

export async function countAccounts(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*)::int as count from accounts`;
  return row?.count ?? 0;
}

/** Adds the account; `null` when the e-mail address is taken. */
export async function insertAccount(
  sql: Sql,
  account: { id: AccountId; email: string; name: string; operator: boolean },
): Promise<AccountRow | null> {
  const [row] = await sql<AccountRow[]>`
    insert into accounts ${sql(account, "id", "email", "name", "operator")}
    on conflict (email) do nothing returning *`;
  return row ?? null;
}

export async function listAccounts(sql: Sql): Promise<AccountRow[]> {
  return await sql<AccountRow[]>`select * from accounts order by created_at, id`;
}

/** Ends all access of the account; `false` when there is none with this id. */
export async function disableAccount(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql`
    update accounts set disabled_at = coalesce(disabled_at, now()) where id = ${id} and not operator returning id`;
  return rows.length > 0;
}
