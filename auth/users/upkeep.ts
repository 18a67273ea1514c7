// Forgets what is over: sessions, codes, counts, mails, former signing keys, and sign-ins by a provider that nobody
// finished. Every node does it now and then; doing it twice changes nothing.

import type { Logger } from "../../core/log.ts";
import type { Sql } from "../../db/mod.ts";
import { purgeCodes } from "../../db/queries/end_user_codes.ts";
import { purgeMails } from "../../db/queries/end_user_mails.ts";
import { purgeOAuthSignIns } from "../../db/queries/oauth_sign_ins.ts";
import { purgeSessions } from "../../db/queries/end_user_sessions.ts";
import { purgeWindows } from "../../db/queries/rate_windows.ts";
import { purgeSigningKeys } from "../../db/queries/signing_keys.ts";
import { keptMails } from "../mail/mails.ts";

const everyMs = 5 * 60_000;

/** Does the upkeep once. */
export async function tidyUsers(sql: Sql): Promise<void> {
  await purgeSessions(sql);
  await purgeCodes(sql);
  await purgeWindows(sql);
  await purgeMails(sql, { keep: keptMails });
  await purgeSigningKeys(sql);
  await purgeOAuthSignIns(sql);
}

/** Does it every few minutes until it is disposed of. */
export function keepUsersTidy({ sql, log }: { sql: Sql; log: Logger }): AsyncDisposable {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = tidyUsers(sql).catch((error) => log.error("What is over could not be forgotten", { error }));
  }, everyMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await running;
    },
  };
}
