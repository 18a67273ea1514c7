// What mails to end users say. The code stands alone on its line, so that people and phones find it.

import type { CodeKind } from "../../db/queries/end_user_codes.ts";
import { resetToken } from "../users/reset_token.ts";

export interface MailText {
  subject: string;
  text: string;
}

/** The mail for a code; `appName` is made of lower-case letters, digits, hyphens and underscores. */
export function mailText(
  kind: CodeKind,
  { appName, email, code }: { appName: string; email: string; code: string },
): MailText {
  switch (kind) {
    case "email_verify":
      return {
        subject: `Confirm your address for ${appName}`,
        text: lines(
          `Somebody signed up for ${appName} with this address. Confirm it with this code, within 24 hours:`,
          code,
        ),
      };
    case "password_reset":
      return {
        subject: `Set a new password for ${appName}`,
        text: lines(
          `A new password was asked for at ${appName}. Set it with this code, within an hour:`,
          code,
          "Where one long code is asked for instead, it is this:",
          resetToken(email, code),
        ),
      };
    case "magic_link":
      return {
        subject: `Sign in to ${appName}`,
        text: lines(`Sign in to ${appName} with this code, within 15 minutes:`, code),
      };
    default:
      kind satisfies never;
      throw new TypeError(`There is no mail of the kind ${JSON.stringify(kind)}`);
  }
}

function lines(...paragraphs: string[]): string {
  return `${[...paragraphs, "If that was not you, ignore this mail."].join("\n\n")}\n`;
}
