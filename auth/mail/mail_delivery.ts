// Sends the mails that are due, on whichever node takes one first. A mail that is not taken by the server waits longer each
// time, and is given up after the fifth: 15 seconds, then 1, 4 and 16 minutes later.

import type { Logger } from "../../core/log.ts";
import type { Sealer } from "../../core/sealing.ts";
import type { Sql } from "../../db/mod.ts";
import { type MailRow, markMailFailed, markMailSent, takeDueMail } from "../../db/queries/end_user_mails.ts";
import { mailPlace } from "./mail_place.ts";
import type { Mailer } from "./smtp.ts";

const mostAttempts = 5;
const pauseSeconds = 15;
const senders = 4;
const lookEveryMs = 10_000;

export interface MailDeliveryParts {
  sql: Sql;
  sealer: Sealer;
  log: Logger;
  mailer: Mailer;
}

export class MailDelivery implements AsyncDisposable {
  readonly #parts: MailDeliveryParts;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: ReturnType<typeof setInterval>;
  #stopped = false;

  constructor(parts: MailDeliveryParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.wake(), lookEveryMs);
  }

  /** Looks for mails that are due. */
  wake(): void {
    if (this.#stopped || this.#running.size >= senders) return;
    const run = this.#sendDue().catch((error) =>
      this.#parts.log.error("Mails could not be looked for", { error })
    )
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  async #sendDue(): Promise<void> {
    while (!this.#stopped) {
      const mail = await takeDueMail(this.#parts.sql, { pauseSeconds });
      if (mail === null) return;
      await this.#send(mail);
    }
  }

  async #send(mail: MailRow & { app_name: string }): Promise<void> {
    const { sql, sealer, log, mailer } = this.#parts;
    const { id, app_id: app, recipient: to, subject, app_name: fromName } = mail;
    try {
      const text = await sealer.open(mail.text_sealed ?? "", mailPlace(id));
      await mailer.send({ to, fromName, subject, text });
    } catch (error) {
      const forGood = mail.attempts >= mostAttempts;
      log.error(forGood ? "A mail is given up" : "A mail could not be sent yet", { app, mail: id, error });
      await markMailFailed(sql, id, { error: reasonOf(error), forGood });
      return;
    }
    await markMailSent(sql, id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await Promise.all(this.#running);
    this.#parts.mailer.close();
  }
}

/** What the owner is told of a failure. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500);
}
