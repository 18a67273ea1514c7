// What each caller gets, by what a route is for.

import { type Caller, callers } from "./access.ts";

/** Who is let in `passes`; whatever else stands here is the answer to who is not. */
export type Outcome = "passes" | readonly [status: number, code: string];
export type Rule = Readonly<Record<Caller, Outcome>>;

const required = [401, "AUTH_REQUIRED"] as const;
const badToken = [401, "AUTH_INVALID_TOKEN"] as const;
const notToken = [401, "AUTH_INVALID_API_KEY"] as const;
const notFound = [404, "RESOURCE_NOT_FOUND"] as const;
const forbidden = [403, "AUTH_INSUFFICIENT_PERMISSIONS"] as const;
const foreignToken = [401, "AUTH_INVALID_END_USER_JWT"] as const;
const expiredToken = [401, "AUTH_END_USER_JWT_EXPIRED"] as const;
const hiddenWrite = [403, "AUTH_RLS_POLICY_VIOLATION"] as const;

/** No credential is looked at. */
export const open = Object.fromEntries(callers.map((caller) => [caller, "passes"])) as Record<
  Caller,
  Outcome
>;
export const keysOnly: Rule = {
  ...open,
  userA: badToken,
  userB: badToken,
  foreignUser: badToken,
  expired: badToken,
  anonKey: badToken,
  otherAnonKey: badToken,
  nobody: required,
  garbage: badToken,
};
/** Routes of the app: to whom it does not belong, it does not exist. */
export const managers: Rule = { ...keysOnly, otherAppKey: notFound, stranger: notFound };
export const accounts: Rule = { ...keysOnly, appKey: forbidden, otherAppKey: forbidden };
export const operator: Rule = { ...accounts, owner: forbidden, stranger: forbidden };
export const endUsers: Rule = {
  ...keysOnly,
  operator: notToken,
  owner: notToken,
  appKey: notToken,
  otherAppKey: notToken,
  stranger: notToken,
  userA: "passes",
  userB: "passes",
  anonKey: required,
};
export const functionCallers: Rule = {
  ...keysOnly,
  otherAppKey: required,
  stranger: required,
  userA: "passes",
  userB: "passes",
  anonKey: required,
};
export const readers: Rule = {
  ...open,
  otherAppKey: notFound,
  stranger: notFound,
  foreignUser: foreignToken,
  expired: expiredToken,
  otherAnonKey: badToken,
  garbage: badToken,
};
/** A row of user A. */
export const ofUserA: Rule = { ...readers, userB: notFound, anonKey: notFound, nobody: notFound };
export const writers: Rule = { ...readers, anonKey: hiddenWrite, nobody: hiddenWrite };
