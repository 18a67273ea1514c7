// What strangers send, read once into values that can only be good. Fields that are not known are left out.

import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { type EmailAddress, parseEmail } from "./email_address.ts";
import { longestPasswordBytes } from "./passwords.ts";
import { parseResetToken } from "./reset_token.ts";

const email = z.string("must be a string").transform((text, context): EmailAddress => {
  const address = parseEmail(text);
  if (address !== null) return address;
  context.addIssue({ code: "custom", message: "must be an e-mail address, as ada@example.com" });
  return z.NEVER;
});

const password = z.string("must be a string").refine(
  (text) => new TextEncoder().encode(text).length <= longestPasswordBytes,
  `must be at most ${longestPasswordBytes} bytes of UTF-8`,
);
const newPassword = password.refine((text) => [...text].length >= 8, "must have at least 8 characters");
const code = z.string("must be a string").regex(/^[0-9]{6}$/, "must be the six digits of the mail");
const displayName = z.string("must be a string").trim().max(200, "must be at most 200 characters")
  .refine((text) => !/\p{Cc}|[\u2028\u2029]/u.test(text), "must be one line without control characters");

const forms = {
  signup: z.object({
    email,
    password: newPassword,
    display_name: displayName.nullish().transform((text) => text || null),
  }),
  login: z.object({ email, password }),
  refresh: z.object({
    refresh_token: z.string("must be a string").min(1, "must not be empty").max(200, "is too long to be one"),
  }),
  email: z.object({ email }),
  code: z.object({ email, code }),
  reset: z.object({ email, code, new_password: newPassword }),
};

/** @throws {AppError} VALIDATION_INVALID_SCHEMA, with an issue for each field in details. */
function read<Form extends keyof typeof forms>(form: Form, body: unknown): z.output<(typeof forms)[Form]> {
  const parsed = forms[form].safeParse(body);
  if (parsed.success) return parsed.data as z.output<(typeof forms)[Form]>;
  const issues = parsed.error.issues.map(({ code, path, message }) => ({ code, path, message }));
  const said = issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")} ${message}`
  );
  throw new AppError("VALIDATION_INVALID_SCHEMA", said.join("; "), { details: issues });
}

export const parseSignup = (body: unknown) => read("signup", body);
export const parseLogin = (body: unknown) => read("login", body);
export const parseRefresh = (body: unknown) => read("refresh", body);
export const parseEmailOnly = (body: unknown) => read("email", body);
export const parseCode = (body: unknown) => read("code", body);

/** In the contract's form, or with `newPassword`, and with one `token` for address and code. */
export function parseReset(body: unknown) {
  if (typeof body !== "object" || body === null) return read("reset", body);
  const { newPassword, token, ...given } = body as Record<string, unknown>;
  const named = typeof token === "string" ? parseResetToken(token) : null;
  if (token !== undefined && named === null && given["code"] === undefined) {
    throw new AppError("VALIDATION_CODE_INVALID", "Invalid reset code");
  }
  return read("reset", { new_password: newPassword, ...named, ...given });
}
