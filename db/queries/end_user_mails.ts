// Mails to end users, on their way or kept.

import type { ISql, Sql } from "postgres";
import type { AppId } from "../../core/ids.ts";

export interface MailRow {
  id: string;
  app_id: AppId;
  kind: string;
  recipient: string;
  subject: string;
  text_sealed: string | null;
  status: "held" | "queued" | "sent" | "failed";
  attempts: number;
  error: string | null;
  created_at: Date;
  sent_at: Date | null;
}

export interface NewMail {
  id: string;
  app_id: AppId;
  user_id: string;
  kind: string;
  recipient: string;
  subject: string;
  text_sealed: string;
  status: "held" | "queued";
}

export async function insertMail(sql: ISql, mail: NewMail): Promise<void> {
  await sql`insert into end_user_mails ${sql(mail)}`;
}

/** Newest first. */
export async function listMails(sql: Sql, appId: AppId, limit: number): Promise<MailRow[]> {
  return await sql<MailRow[]>`
    select * from end_user_mails where app_id = ${appId} order by created_at desc, id limit ${limit}`;
}

/** Takes a mail that is due, for this node alone until the pause is over; `null` when none is. */
export async function takeDueMail(
  sql: Sql,
  { pauseSeconds }: { pauseSeconds: number },
): Promise<MailRow & { app_name: string } | null> {
  const [row] = await sql<(MailRow & { app_name: string })[]>`
    update end_user_mails m set attempts = attempts + 1,
      next_attempt_at = now() + make_interval(secs => ${pauseSeconds} * power(4, attempts))
    from apps
    where apps.id = m.app_id and m.id = (
      select id from end_user_mails where status = 'queued' and next_attempt_at <= now()
      order by next_attempt_at limit 1 for update skip locked)
    returning m.*, apps.name as app_name`;
  return row ?? null;
}

export async function markMailSent(sql: Sql, id: string): Promise<void> {
  await sql`
    update end_user_mails set status = 'sent', sent_at = now(), text_sealed = null, error = null where id = ${id}`;
}

export async function markMailFailed(
  sql: Sql,
  id: string,
  { error, forGood }: { error: string; forGood: boolean },
): Promise<void> {
  await sql`
    update end_user_mails set error = ${error}, status = case when ${forGood} then 'failed' else status end,
      text_sealed = case when ${forGood} then null else text_sealed end
    where id = ${id}`;
}

/** Keeps a day's mails, and the newest of each app. */
export async function purgeMails(sql: Sql, { keep }: { keep: number }): Promise<void> {
  await sql`delete from end_user_mails where created_at < now() - interval '1 day'`;
  await sql`
    delete from end_user_mails where status <> 'queued' and id in (
      select id from (select id, row_number() over (partition by app_id order by created_at desc) as place
        from end_user_mails) numbered where place > ${keep})`;
}
