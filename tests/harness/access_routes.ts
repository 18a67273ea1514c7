// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Every route of the server: for whom it is, and a request that whoever is let in succeeds with.

import assert from "node:assert/strict";
import type { Caller, World } from "./access.ts";
import {
  accounts,
  endUsers,
  functionCallers,
  keysOnly,
  managers,
  ofUserA,
  open,
  operator,
  readers,
  type Rule,
  writers,
} from "./access_rules.ts";
import { noteOfA, policyOfDrafts, provider, providerDraft, withCode } from "./access_objects.ts";
import { goodPassword, newEmail } from "./end_users.ts";

export interface Asked {
  path: string;
  body?: object;
  /** Bearer in place of the caller's own. */
  bearer?: string;
}

export interface Row {
  rule: Rule;
  /** Status of the answer to whoever passes. */
  status: number;
  /** What is asked, made anew for each who passes. */
  ask: (w: World, caller: Caller) => Asked | Promise<Asked>;
  /** Looks at the answer of each who passes. */
  check?: ((body: any, caller: Caller, w: World) => void) | undefined;
  after?: ((w: World) => Promise<unknown>) | undefined;
}

const row = (
  rule: Rule,
  ask: Row["ask"],
  { status = 200, check, after }: Partial<Pick<Row, "status" | "check" | "after">> = {},
): Row => ({ rule, status, ask, check, after });

const of = (path: string, body?: object) => (w: World): Asked => ({
  path: `/v1/${w.app}/${path}`,
  ...(body === undefined ? {} : { body }),
});
const auth = (w: World, route: string, body?: object): Asked => ({
  path: `/auth/${w.app}/${route}`,
  ...(body === undefined ? {} : { body }),
});

const serviceCallers: readonly Caller[] = ["operator", "owner", "appKey"];
const seesA = (caller: Caller) => caller === "userA" || serviceCallers.includes(caller);

function whoIs(body: any, caller: Caller, w: World): void {
  const id = { userA: w.a, userB: w.b }[caller as string] ?? null;
  const role = id === null ? "butterbase_service" : "butterbase_user";
  assert.deepEqual(body, { role, id, user: id }, caller);
}

/** Every route of the server, as `METHOD path`. */
export const routes: Record<string, Row> = {
  "GET /health": row(open, () => ({ path: "/health" })),
  "GET /health/ready": row(open, () => ({ path: "/health/ready" })),
  "GET /v1/regions": row(open, () => ({ path: "/v1/regions" })),

  "POST /admin/users": row(operator, () => ({
    path: "/admin/users",
    body: { email: newEmail(), name: "New" },
  }), { status: 201 }),
  "GET /admin/users": row(operator, () => ({ path: "/admin/users" })),
  "DELETE /admin/users/:id": row(operator, async (w) => {
    const made = await w.p.json("POST", "/admin/users", { body: { email: newEmail(), name: "Gone" } });
    return { path: `/admin/users/${made.body.user.id}` };
  }),
  "POST /api-keys": row(accounts, () => ({ path: "/api-keys", body: { name: "new" } }), { status: 201 }),
  "GET /api-keys": row(accounts, () => ({ path: "/api-keys" })),
  "DELETE /api-keys/:key_id": row(accounts, async (w, caller) => {
    const made = await w.p.json("POST", "/api-keys", { key: w.bearers[caller], body: { name: "gone" } });
    return { path: `/api-keys/${made.body.keyId}` };
  }),

  "POST /init": row(accounts, () => ({ path: "/init", body: { name: `new-${crypto.randomUUID()}` } }), {
    status: 201,
  }),
  "GET /apps": row(keysOnly, () => ({ path: "/apps" }), {
    check: ({ apps }, caller, w) =>
      assert.equal(apps.some(({ id }: any) => id === w.app), serviceCallers.includes(caller), caller),
  }),
  "GET /apps/:app_id/status": row(managers, (w) => ({ path: `/apps/${w.app}/status` })),
  "DELETE /apps/:app_id": row(managers, async (w, caller) => {
    const app = await w.p.createApp({ key: w.bearers.owner as string });
    return { path: `/apps/${app}`, ...(caller === "appKey" ? { bearer: await w.keyFor(app) } : {}) };
  }),
  "GET /v1/:app_id/config": row(managers, of("config")),
  "PATCH /v1/:app_id/config/cors": row(
    managers,
    of("config/cors", { allowed_origins: ["https://a.example"] }),
  ),
  "PATCH /v1/:app_id/config/egress": row(managers, of("config/egress", { deny: [] })),
  "PATCH /v1/:app_id/config/pause": row(managers, of("config/pause", { paused: false })),
  "PATCH /v1/:app_id/config/access-mode": row(managers, of("config/access-mode", { access_mode: "public" })),
  "PATCH /v1/:app_id/config/jwt": row(managers, of("config/jwt", { accessTokenTtl: "1h" })),
  "PATCH /v1/:app_id/config/auth-hooks": row(
    managers,
    of("config/auth-hooks", { post_auth_function: null }),
  ),
  "POST /v1/:app_id/secure": row(managers, of("secure", {}), {
    after: (w) => w.asOwner("PATCH", `/v1/${w.app}/config/access-mode`, { access_mode: "public" }),
  }),
  "GET /v1/:app_id/env": row(managers, of("env")),
  "PATCH /v1/:app_id/env": row(managers, of("env", { envVars: { A: "1" } })),

  "POST /v1/:app_id/functions": row(
    managers,
    of("functions", { name: "new", code: "export default () => new Response()" }),
  ),
  "GET /v1/:app_id/functions": row(managers, of("functions")),
  "GET /v1/:app_id/functions/:name": row(managers, of("functions/who")),
  "DELETE /v1/:app_id/functions/:name": row(managers, async (w) => {
    const code = "export default () => new Response()";
    await w.p.deploy(w.app, "gone", code, { key: w.bearers.owner as string });
    return of("functions/gone")(w);
  }),
  "PATCH /v1/:app_id/functions/:name/env": row(managers, of("functions/who/env", { envVars: { A: "1" } })),
  "PATCH /v1/:app_id/functions/:name/settings": row(
    managers,
    of("functions/who/settings", { allow_service_key_impersonation: true }),
  ),
  "POST /v1/:app_id/functions/:name/invoke": row(managers, of("functions/who/invoke", {}), { check: whoIs }),
  "GET /v1/:app_id/functions/:name/logs": row(managers, of("functions/who/logs")),
  "GET /v1/:app_id/functions/:name/logs/stream": row(managers, of("functions/who/logs/stream")),
  "ALL /v1/:app_id/fn/:name": row(functionCallers, of("fn/who", {}), { check: whoIs }),
  "ALL /v1/:app_id/fn/:name/*": row(functionCallers, of("fn/who/below", {}), { check: whoIs }),

  "GET /v1/:app_id/schema": row(managers, of("schema")),
  "POST /v1/:app_id/schema/apply": row(managers, of("schema/apply", { schema: { tables: {} } })),
  "GET /v1/:app_id/migrations": row(managers, of("migrations")),
  "GET /v1/:app_id/rls": row(managers, of("rls")),
  "POST /v1/:app_id/rls/enable": row(managers, of("rls/enable", { table_name: "drafts" })),
  "POST /v1/:app_id/rls": row(managers, of("rls", { table_name: "drafts", user_column: "user_id" })),
  "POST /v1/:app_id/rls/policies": row(
    managers,
    of("rls/policies", { table_name: "drafts", policy_name: "none", using_expression: "false" }),
  ),
  "PATCH /v1/:app_id/rls/policies/:policy_name": row(
    managers,
    async (w) =>
      of(`rls/policies/${await policyOfDrafts(w)}`, { table_name: "drafts", using_expression: "false" })(w),
  ),
  "DELETE /v1/:app_id/rls/:table": row(managers, async (w) => {
    await policyOfDrafts(w);
    return of("rls/drafts")(w);
  }),
  "DELETE /v1/:app_id/rls/:table/:policy_name": row(
    managers,
    async (w) => of(`rls/drafts/${await policyOfDrafts(w)}`)(w),
  ),

  "GET /v1/:app_id/admin/auth/signing-keys": row(managers, of("admin/auth/signing-keys")),
  "POST /v1/:app_id/admin/auth/signing-keys/rotate": row(
    managers,
    of("admin/auth/signing-keys/rotate", { former: "keep" }),
  ),
  "GET /v1/:app_id/admin/auth/users": row(managers, of("admin/auth/users")),
  "PATCH /v1/:app_id/admin/auth/users/:user_id": row(
    managers,
    (w) => of(`admin/auth/users/${w.b}`, { blocked: false })(w),
  ),
  "DELETE /v1/:app_id/admin/auth/users/:user_id": row(
    managers,
    async (w) => of(`admin/auth/users/${(await w.users.signUp()).id}`)(w),
  ),
  "GET /v1/:app_id/admin/auth/outbox": row(managers, of("admin/auth/outbox")),

  "POST /auth/:app_id/signup": row(
    open,
    (w) => auth(w, "signup", { email: newEmail(), password: goodPassword }),
    {
      status: 201,
    },
  ),
  "POST /auth/:app_id/login": row(open, async (w) => {
    const { email } = await w.users.signUp();
    return auth(w, "login", { email, password: goodPassword });
  }),
  "POST /auth/:app_id/refresh": row(
    open,
    async (w) => auth(w, "refresh", { refresh_token: (await w.users.signedIn()).refresh_token }),
  ),
  "POST /auth/:app_id/logout": row(endUsers, (w) => auth(w, "logout", {})),
  "GET /auth/:app_id/me": row(endUsers, (w) => auth(w, "me"), {
    check: ({ id }, caller, w) => assert.equal(id, caller === "userA" ? w.a : w.b),
  }),
  "POST /auth/:app_id/verify-email": row(
    open,
    async (w) => auth(w, "verify-email", await withCode(w, "email_verify")),
  ),
  "POST /auth/:app_id/forgot-password": row(open, (w) => auth(w, "forgot-password", { email: newEmail() })),
  "POST /auth/:app_id/reset-password": row(open, async (w) =>
    auth(w, "reset-password", {
      ...await withCode(w, "password_reset", "forgot-password"),
      new_password: goodPassword,
    })),
  "POST /auth/:app_id/magic-link": row(open, (w) => auth(w, "magic-link", { email: newEmail() })),
  "POST /auth/:app_id/magic-link/verify": row(
    open,
    async (w) => auth(w, "magic-link/verify", await withCode(w, "magic_link", "magic-link")),
  ),
  "GET /auth/:app_id/.well-known/jwks.json": row(open, (w) => auth(w, ".well-known/jwks.json")),
  "GET /auth/:app_id/oauth/:provider": row(open, async (w) => auth(w, `oauth/${await provider(w)}`), {
    status: 302,
  }),
  // No sign-in was begun, whatever the bearer is: the cookie and the state alone tell.
  "GET /auth/:app_id/oauth/:provider/callback": row(
    open,
    async (w) => auth(w, `oauth/${await provider(w)}/callback?code=c&state=s`),
    { status: 400 },
  ),
  "POST /auth/:app_id/oauth/:provider/callback": row(
    open,
    async (w) =>
      auth(w, `oauth/${await provider(w)}/callback`, new URLSearchParams({ code: "c", state: "s" })),
    { status: 400 },
  ),
  "POST /v1/:app_id/auth/oauth-config": row(
    managers,
    (w) => of("auth/oauth-config", providerDraft(w, "corp"))(w),
  ),
  "GET /v1/:app_id/auth/oauth-config": row(managers, of("auth/oauth-config")),
  "GET /v1/:app_id/auth/oauth-config/:provider": row(
    managers,
    async (w) => of(`auth/oauth-config/${await provider(w)}`)(w),
  ),
  "PATCH /v1/:app_id/auth/oauth-config/:provider": row(
    managers,
    async (w) => of(`auth/oauth-config/${await provider(w)}`, { enabled: false })(w),
  ),
  "DELETE /v1/:app_id/auth/oauth-config/:provider": row(
    managers,
    async (w) => of(`auth/oauth-config/${await provider(w)}`)(w),
  ),

  "GET /v1/:app_id/:table": row(readers, async (w) => of(`notes?id=eq.${await noteOfA(w)}`)(w), {
    check: (rows, caller) => assert.equal(rows.length, seesA(caller) ? 1 : 0, caller),
  }),
  "POST /v1/:app_id/:table": row(writers, (w, caller) => of("notes", { title: caller })(w), {
    status: 201,
    check: ({ user_id }, caller, w) =>
      assert.equal(user_id, { userA: w.a, userB: w.b }[caller as string] ?? null, caller),
  }),
  "PATCH /v1/:app_id/:table": row(
    readers,
    async (w) => of(`notes?id=eq.${await noteOfA(w)}`, { title: "changed" })(w),
    { check: (rows, caller) => assert.equal(rows.length, seesA(caller) ? 1 : 0, caller) },
  ),
  "DELETE /v1/:app_id/:table": row(readers, async (w) => of(`notes?id=eq.${await noteOfA(w)}`)(w), {
    check: ({ deleted }, caller) => assert.equal(deleted, seesA(caller) ? 1 : 0, caller),
  }),
  "GET /v1/:app_id/:table/:id": row(ofUserA, async (w) => of(`notes/${await noteOfA(w)}`)(w)),
  "PATCH /v1/:app_id/:table/:id": row(
    ofUserA,
    async (w) => of(`notes/${await noteOfA(w)}`, { title: "changed" })(w),
  ),
  "DELETE /v1/:app_id/:table/:id": row(ofUserA, async (w) => of(`notes/${await noteOfA(w)}`)(w)),
};
