// Every migration in the order it runs. A new one is a new file and a new line here; a line that has shipped never
// changes. The texts are imported, not read, so that they are part of a compiled program too.

import base from "./0001_base.sql" with { type: "text" };
import platform from "./0002_platform.sql" with { type: "text" };
import egress from "./0003_egress.sql" with { type: "text" };
import endUsers from "./0020_end_users.sql" with { type: "text" };
import rateWindows from "./0021_rate_windows.sql" with { type: "text" };
import endUserMails from "./0022_end_user_mails.sql" with { type: "text" };
import signingKeys from "./0023_signing_keys.sql" with { type: "text" };
import oauth from "./0030_oauth.sql" with { type: "text" };

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export const migrations: readonly Migration[] = [
  { version: 1, name: "base", sql: base },
  { version: 2, name: "platform", sql: platform },
  { version: 3, name: "egress", sql: egress },
  { version: 20, name: "end_users", sql: endUsers },
  { version: 21, name: "rate_windows", sql: rateWindows },
  { version: 22, name: "end_user_mails", sql: endUserMails },
  { version: 23, name: "signing_keys", sql: signingKeys },
  { version: 30, name: "oauth", sql: oauth },
];
