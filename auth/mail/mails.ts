// Mails to end users. Each is stored with what it is about, in one transaction; then it is sent, tried again for a while
// if need be, or, where no SMTP server is set, held for the app's owner to read. Texts are sealed, since they hold codes,
// and are gone once a mail is sent.

import { AppError } from "../../core/errors.ts";
import type { AppId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import type { Sealer } from "../../core/sealing.ts";
import type { Sql } from "../../db/mod.ts";
import type { CodeKind } from "../../db/queries/end_user_codes.ts";
import { insertMail, listMails, type MailRow } from "../../db/queries/end_user_mails.ts";
import type { EndUserRow } from "../../db/queries/end_users.ts";
import { MailDelivery } from "./mail_delivery.ts";
import { mailPlace } from "./mail_place.ts";
import { mailText } from "./mail_texts.ts";
import type { Mailer } from "./smtp.ts";

/** Mails of an app that are kept, for a day at most. */
export const keptMails = 200;

type SqlOrTransaction = Parameters<typeof insertMail>[0];

export interface MailsParts {
  sql: Sql;
  sealer: Sealer;
  log: Logger;
  /** `null` holds the mails. */
  mailer: Mailer | null;
  /** Whether the log shows the text of a mail that is held, code included. */
  inLog: "notice" | "text";
}

/** A mail that is stored, and not yet on its way. */
export interface StoredMail {
  appId: AppId;
  kind: string;
  recipient: string;
  text: string;
}

export class Mails implements AsyncDisposable {
  readonly #parts: MailsParts;
  readonly #delivery: MailDelivery | null;

  constructor(parts: MailsParts) {
    this.#parts = parts;
    const { sql, sealer, log, mailer } = parts;
    this.#delivery = mailer && new MailDelivery({ sql, sealer, log, mailer });
  }

  /** Stores the mail for a code; `dispatch` it once that is committed. */
  async store(
    sql: SqlOrTransaction,
    user: EndUserRow,
    { kind, code, appName }: { kind: CodeKind; code: string; appName: string },
  ): Promise<StoredMail> {
    const id = crypto.randomUUID();
    const { subject, text } = mailText(kind, { appName, email: user.email, code });
    await insertMail(sql, {
      id,
      app_id: user.app_id,
      user_id: user.id,
      kind,
      recipient: user.email,
      subject,
      text_sealed: await this.#parts.sealer.seal(text, mailPlace(id)),
      status: this.#delivery === null ? "held" : "queued",
    });
    return { appId: user.app_id, kind, recipient: user.email, text };
  }

  dispatch({ appId, kind, recipient, text }: StoredMail): void {
    if (this.#delivery !== null) return this.#delivery.wake();
    const { log, inLog } = this.#parts;
    log.warn(`A mail waits in the outbox, since BUTTERBASE_SMTP_URL is not set`, {
      app: appId,
      kind,
      outbox: `/v1/${appId}/admin/auth/outbox`,
      ...(inLog === "text" ? { recipient, text } : {}),
    });
  }

  /** The app's mails, newest first; with their texts only where nothing sends them. */
  async outbox(appId: AppId) {
    const rows = await listMails(this.#parts.sql, appId, keptMails);
    return {
      delivery: this.#delivery === null ? "outbox" as const : "smtp" as const,
      messages: await Promise.all(rows.map(async (row) => ({
        id: row.id,
        to: row.recipient,
        kind: row.kind,
        subject: row.subject,
        text: await this.#readable(row),
        status: row.status,
        error: row.error,
        created_at: row.created_at.toISOString(),
        sent_at: row.sent_at?.toISOString() ?? null,
      }))),
    };
  }

  async #readable({ id, status, text_sealed }: MailRow): Promise<string | null> {
    if (status !== "held" || text_sealed === null) return null;
    try {
      return await this.#parts.sealer.open(text_sealed, mailPlace(id));
    } catch (cause) {
      throw new AppError("INTERNAL_ERROR", `The text of the mail ${id} cannot be read`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#delivery?.[Symbol.asyncDispose]();
  }
}
