// Address and reset code in one word, for clients that ask for a single token.

/** The word that `parseResetToken` takes apart. */
export function resetToken(email: string, code: string): string {
  return new TextEncoder().encode(`${code} ${email}`).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Address and code, or `null` for what is no such word. */
export function parseResetToken(token: string): { email: string; code: string } | null {
  if (token.length > 500) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.fromBase64(token, { alphabet: "base64url" }),
    );
    const [, code, email] = /^(\d{6}) (.+)$/.exec(text) ?? [];
    return code === undefined || email === undefined ? null : { email, code };
  } catch {
    return null;
  }
}
