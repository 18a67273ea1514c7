// What an app's post-auth hook is told.

import type { EndUserRow } from "../../db/queries/end_users.ts";
import type { AuthApp } from "./auth_app.ts";

export type AuthEventName = "signup" | "login" | "oauth_login" | "magic_link_login";

/** Body of the call, in the contract's names. */
export interface AuthEvent {
  event: AuthEventName;
  user: {
    id: string;
    email: string;
    provider: string;
    display_name: string | null;
    avatar_url: string | null;
  };
  isNewUser: boolean;
  provider: string;
}

/** Starts the app's hook, if it has one; returns at once, and nothing that goes wrong in it reaches the caller. */
export type AuthHook = (app: AuthApp, event: AuthEvent) => void;

export function authEvent(
  event: AuthEventName,
  user: EndUserRow,
  { provider, isNewUser }: { provider: string; isNewUser: boolean },
): AuthEvent {
  const { id, email, display_name, avatar_url } = user;
  return {
    event,
    user: { id, email, provider: user.provider, display_name, avatar_url },
    isNewUser,
    provider,
  };
}
