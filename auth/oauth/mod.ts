// Front door of auth/oauth/: end users who sign in by a provider, and the providers as an app's owner sets them.

import { createGuardedFetch } from "../../core/egress/guarded_fetch.ts";
import type { EgressRules } from "../../core/egress/judge.ts";
import type { Logger } from "../../core/log.ts";
import type { Sealer } from "../../core/sealing.ts";
import type { Sql } from "../../db/mod.ts";
import type { EndUsers } from "../users/mod.ts";
import { OAuthSignIn } from "./oauth_sign_in.ts";
import { ProviderSettings } from "./provider_settings.ts";

export { OAuthSignIn } from "./oauth_sign_in.ts";
export { parseProviderChange, parseProviderDraft } from "./provider_draft.ts";
export { ProviderSettings } from "./provider_settings.ts";

export interface OAuthParts {
  sql: Sql;
  sealer: Sealer;
  users: EndUsers;
  /** What the platform itself may connect to. */
  egress: () => EgressRules;
  log: Logger;
}

export interface OAuth {
  readonly settings: ProviderSettings;
  readonly signIn: OAuthSignIn;
  readonly egress: () => EgressRules;
}

export function createOAuth({ sql, sealer, users, egress, log }: OAuthParts): OAuth {
  const settings = new ProviderSettings({ sql, sealer });
  const fetch = createGuardedFetch({ rules: egress });
  return { settings, signIn: new OAuthSignIn({ sql, settings, users, fetch, log }), egress };
}
