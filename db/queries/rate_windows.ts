// Counts of attempts within windows of time, shared by all nodes.

import type { Sql } from "postgres";

export interface CountedWindow {
  key: string;
  count: number;
  resets_in: number;
}

/** Counts one attempt under each key; a window that is over begins again. */
export async function countAttempt(
  sql: Sql,
  windows: readonly { key: string; seconds: number }[],
): Promise<CountedWindow[]> {
  // In one order everywhere, so that two statements never wait for each other.
  const sorted = windows.toSorted((a, b) => a.key < b.key ? -1 : 1);
  return await sql<CountedWindow[]>`
    insert into rate_windows as w (key, count, resets_at)
    select key, 1, now() + make_interval(secs => seconds)
    from unnest(${sorted.map(({ key }) => key)}::text[], ${sorted.map(({ seconds }) => seconds)}::int[])
      as given (key, seconds)
    on conflict (key) do update set
      count = case when w.resets_at <= now() then 1 else w.count + 1 end,
      resets_at = case when w.resets_at <= now() then excluded.resets_at else w.resets_at end
    returning key, count, ceil(extract(epoch from resets_at - now()))::int as resets_in`;
}

export async function purgeWindows(sql: Sql): Promise<void> {
  await sql`delete from rate_windows where resets_at < now()`;
}
