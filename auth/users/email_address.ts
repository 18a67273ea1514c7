// E-mail addresses. Two that differ in case only are one account's: mail servers treat them so, and people type them so.

/** An address as it was given, tidied, and the form that addresses are compared by. */
export interface EmailAddress {
  readonly email: string;
  readonly emailKey: string;
}

// One recipient and nothing else: no quotes, comments, lists, names or control characters, whatever a mailer would make
// of them.
const form =
  /^[^\s\p{C}@<>()[\]\\,;:"]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+[\p{L}\p{N}-]{2,63}$/u;

/** The address, or `null` for what is not one. */
export function parseEmail(text: string): EmailAddress | null {
  const email = text.trim().normalize("NFC");
  if (email.length > 254 || !form.test(email) || /^\.|\.\.|\.@/.test(email)) return null;
  return { email, emailKey: email.toLowerCase() };
}
