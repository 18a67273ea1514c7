// Front door of auth/users/: the end users of apps, from sign-up to their end. Whoever proves to be somebody, by whatever
// way, comes in through `signIn`: it opens the session, signs the tokens and starts the app's post-auth hook. Whoever asks
// a provider hands what it says to `EndUsers.signInByProvider`, and answers what that answers.

export { EndUsers, type EndUsersParts } from "./end_users.ts";
export type { AuthApp } from "./auth_app.ts";
export type { AuthEvent, AuthHook } from "./auth_event.ts";
export type { ProviderProfile } from "./provider_accounts.ts";
export { type OpenedEndUsers, openEndUsers } from "./open_end_users.ts";
export type { SessionTokens } from "./sessions.ts";
export type { SignedIn } from "./sign_in.ts";
