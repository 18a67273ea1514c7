// The last step of every way in.

import type { CheckedState } from "../../db/queries/end_user_sessions.ts";
import type { EndUserRow } from "../../db/queries/end_users.ts";
import type { AuthApp } from "./auth_app.ts";
import { authEvent, type AuthEventName, type AuthHook } from "./auth_event.ts";
import type { Sessions, SessionTokens } from "./sessions.ts";
import { type SignedInUser, signedInUser } from "./user_views.ts";

/** The answer of a sign-in, in the contract's names. */
export interface SignedIn extends SessionTokens {
  user: SignedInUser;
}

export interface Way {
  event: AuthEventName;
  provider: string;
  isNewUser: boolean;
  checked?: CheckedState;
}

/** Opens a session and starts the app's hook; `null` when the account is gone, blocked, or not as it was checked. */
export async function signIn(
  { sessions, hook }: { sessions: Sessions; hook: AuthHook },
  app: AuthApp,
  { id }: Pick<EndUserRow, "id">,
  { event, provider, isNewUser, checked = {} }: Way,
): Promise<SignedIn | null> {
  const opened = await sessions.open(app, id, checked);
  if (opened === null) return null;
  hook(app, authEvent(event, opened.user, { provider, isNewUser }));
  return { ...opened.tokens, user: signedInUser(opened.user) };
}
