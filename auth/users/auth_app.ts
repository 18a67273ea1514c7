import type { AppId } from "../../core/ids.ts";

/** What signing in needs to know of an app; `App` of the registry has it. */
export interface AuthApp {
  readonly id: AppId;
  readonly name: string;
  readonly auth: { readonly accessTokenTtl: string; readonly refreshTokenTtlDays: number };
}
