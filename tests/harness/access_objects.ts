// What the routes of the access table are asked about, made anew for each who asks.

import type { World } from "./access.ts";
import { newEmail } from "./end_users.ts";

/** A row of user A's, as the owner enters it. */
export async function noteOfA(w: World): Promise<string> {
  return (await w.asOwner("POST", `/v1/${w.app}/notes`, { user_id: w.a, title: "of A" })).id;
}

export async function withCode(
  w: World,
  kind: "email_verify" | "magic_link" | "password_reset",
  route?: string,
) {
  const email = newEmail();
  await w.users.signUp(email);
  if (route !== undefined) await w.users.post(route, { email });
  return { email, code: await w.users.code(email, kind) };
}

export async function provider(w: World): Promise<string> {
  const provider = `corp${crypto.randomUUID().slice(0, 8)}`;
  await w.asOwner("POST", `/v1/${w.app}/auth/oauth-config`, providerDraft(w, provider));
  return provider;
}

export const providerDraft = (w: World, provider: string) => ({
  provider,
  client_id: "client",
  client_secret: "secret",
  redirect_uris: [`${w.p.origin}/auth/${w.app}/oauth/${provider}/callback`],
  authorization_url: "https://id.example.com/authorize",
  token_url: "https://id.example.com/token",
  userinfo_url: "https://id.example.com/userinfo",
});

export async function policyOfDrafts(w: World): Promise<string> {
  const policy_name = `p${crypto.randomUUID().replaceAll("-", "")}`;
  await w.asOwner("POST", `/v1/${w.app}/rls/policies`, {
    table_name: "drafts",
    policy_name,
    using_expression: "false",
  });
  return policy_name;
}
