// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Who may do what: every route that the server has, asked by everybody. A route that is not in the table fails. Those who
// are refused ask first, and of the same thing as the first who is not: what they had done would show.

import assert from "node:assert/strict";
import { type Caller, callers, openWorld, type World } from "./harness/access.ts";
import { goodPassword, newEmail } from "./harness/end_users.ts";
import { startTestPlatform, type TestPlatform } from "./harness/platform.ts";

let p: TestPlatform;
let w: World;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_AUTH_LIMITS: "off" });
  w = await openWorld(p);
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

type Outcome = "passes" | readonly [status: number, code: string];
type Rule = Readonly<Record<Caller, Outcome>>;

const required = [401, "AUTH_REQUIRED"] as const;
const badToken = [401, "AUTH_INVALID_TOKEN"] as const;
const notFound = [404, "RESOURCE_NOT_FOUND"] as const;
const forbidden = [403, "AUTH_INSUFFICIENT_PERMISSIONS"] as const;
const foreignToken = [401, "AUTH_INVALID_END_USER_JWT"] as const;
const expiredToken = [401, "AUTH_END_USER_JWT_EXPIRED"] as const;
const hiddenWrite = [403, "AUTH_RLS_POLICY_VIOLATION"] as const;

const open = Object.fromEntries(callers.map((caller) => [caller, "passes"])) as Record<Caller, Outcome>;
const keysOnly: Rule = {
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
const managers: Rule = { ...keysOnly, otherAppKey: notFound, stranger: notFound };
const accounts: Rule = { ...keysOnly, appKey: forbidden, otherAppKey: forbidden };
const operator: Rule = { ...accounts, owner: forbidden, stranger: forbidden };
const endUsers: Rule = {
  ...keysOnly,
  operator: badToken,
  owner: badToken,
  appKey: badToken,
  otherAppKey: badToken,
  stranger: badToken,
  userA: "passes",
  userB: "passes",
};
const functionCallers: Rule = {
  ...keysOnly,
  otherAppKey: required,
  stranger: required,
  userA: "passes",
  userB: "passes",
  anonKey: required,
};
const readers: Rule = {
  ...open,
  otherAppKey: notFound,
  stranger: notFound,
  foreignUser: foreignToken,
  expired: expiredToken,
  otherAnonKey: foreignToken,
  garbage: badToken,
};
/** A row of user A. */
const ofUserA: Rule = { ...readers, userB: notFound, anonKey: notFound, nobody: notFound };
const writers: Rule = { ...readers, anonKey: hiddenWrite, nobody: hiddenWrite };

interface Asked {
  path: string;
  body?: object | FormData | URLSearchParams;
  /** Bearer in place of the caller's own. */
  bearer?: string;
}

interface Row {
  rule: Rule;
  /** Status of the answer to whoever passes. */
  status: number;
  /** What is asked, made anew for each who passes. */
  ask: (caller: Caller) => Asked | Promise<Asked>;
  /** Looks at the answer of each who passes. */
  check?: ((body: any, caller: Caller) => void) | undefined;
  after?: (() => Promise<unknown>) | undefined;
}

const row = (
  rule: Rule,
  ask: Row["ask"],
  { status = 200, check, after }: Partial<Pick<Row, "status" | "check" | "after">> = {},
): Row => ({ rule, status, ask, check, after });

const of = (path: string, body?: object) => () => ({
  path: `/v1/${w.app}/${path}`,
  ...(body === undefined ? {} : { body }),
});
const auth = (route: string, body?: object) => ({
  path: `/auth/${w.app}/${route}`,
  ...(body === undefined ? {} : { body }),
});
const uuid = () => crypto.randomUUID();
const name = (caller: Caller) => `${caller}-${uuid()}`;

const serviceCallers: readonly Caller[] = ["operator", "owner", "appKey"];
const seesA = (caller: Caller) => caller === "userA" || serviceCallers.includes(caller);

/** A row of user A's, as the owner enters it. */
async function noteOfA(): Promise<string> {
  return (await w.asOwner("POST", `/v1/${w.app}/notes`, { user_id: w.a, title: "of A" })).id;
}

async function withCode(kind: "email_verify" | "magic_link" | "password_reset", route?: string) {
  const email = newEmail();
  await w.users.signUp(email);
  if (route !== undefined) await w.users.post(route, { email });
  return { email, code: await w.users.code(email, kind) };
}

async function provider(): Promise<string> {
  const provider = `corp${uuid().slice(0, 8)}`;
  await w.asOwner("POST", `/v1/${w.app}/auth/oauth-config`, providerDraft(provider));
  return provider;
}

const providerDraft = (provider: string) => ({
  provider,
  client_id: "client",
  client_secret: "secret",
  redirect_uris: [`${p.origin}/auth/${w.app}/oauth/${provider}/callback`],
  authorization_url: "https://id.example.com/authorize",
  token_url: "https://id.example.com/token",
  userinfo_url: "https://id.example.com/userinfo",
});

async function policyOfDrafts(): Promise<string> {
  const policy_name = `p${uuid().replaceAll("-", "")}`;
  await w.asOwner("POST", `/v1/${w.app}/rls/policies`, {
    table_name: "drafts",
    policy_name,
    using_expression: "false",
  });
  return policy_name;
}

function whoIs(body: any, caller: Caller): void {
  const id = { userA: w.a, userB: w.b }[caller as string] ?? null;
  const role = id === null ? "butterbase_service" : "butterbase_user";
  assert.deepEqual(body, { role, id, user: id }, caller);
}

const table: Record<string, Row> = {
  "GET /health": row(open, () => ({ path: "/health" })),
  "GET /health/ready": row(open, () => ({ path: "/health/ready" })),
  "GET /v1/regions": row(open, () => ({ path: "/v1/regions" })),

  "POST /admin/users": row(operator, () => ({
    path: "/admin/users",
    body: { email: newEmail(), name: "New" },
  }), { status: 201 }),
  "GET /admin/users": row(operator, () => ({ path: "/admin/users" })),
  "DELETE /admin/users/:id": row(operator, async () => {
    const made = await p.json("POST", "/admin/users", { body: { email: newEmail(), name: "Gone" } });
    return { path: `/admin/users/${made.body.user.id}` };
  }),
  "POST /api-keys": row(accounts, () => ({ path: "/api-keys", body: { name: "new" } }), { status: 201 }),
  "GET /api-keys": row(accounts, () => ({ path: "/api-keys" })),
  "DELETE /api-keys/:key_id": row(accounts, async (caller) => {
    const made = await p.json("POST", "/api-keys", { key: w.bearers[caller], body: { name: "gone" } });
    return { path: `/api-keys/${made.body.keyId}` };
  }),

  "POST /init": row(accounts, (caller) => ({ path: "/init", body: { name: name(caller) } }), { status: 201 }),
  "GET /apps": row(keysOnly, () => ({ path: "/apps" }), {
    check: ({ apps }, caller) =>
      assert.equal(apps.some(({ id }: any) => id === w.app), serviceCallers.includes(caller), caller),
  }),
  "GET /apps/:app_id/status": row(managers, () => ({ path: `/apps/${w.app}/status` })),
  "DELETE /apps/:app_id": row(managers, async (caller) => {
    const app = await p.createApp({ key: w.bearers.owner as string });
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
    after: () => w.asOwner("PATCH", `/v1/${w.app}/config/access-mode`, { access_mode: "public" }),
  }),
  "GET /v1/:app_id/env": row(managers, of("env")),
  "PATCH /v1/:app_id/env": row(managers, of("env", { envVars: { A: "1" } })),

  "POST /v1/:app_id/functions": row(
    managers,
    of("functions", { name: "new", code: "export default () => new Response()" }),
  ),
  "GET /v1/:app_id/functions": row(managers, of("functions")),
  "GET /v1/:app_id/functions/:name": row(managers, of("functions/who")),
  "DELETE /v1/:app_id/functions/:name": row(managers, async () => {
    const code = "export default () => new Response()";
    await p.deploy(w.app, "gone", code, { key: w.bearers.owner as string });
    return of("functions/gone")();
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
    async () =>
      of(`rls/policies/${await policyOfDrafts()}`, { table_name: "drafts", using_expression: "false" })(),
  ),
  "DELETE /v1/:app_id/rls/:table": row(managers, async () => {
    await policyOfDrafts();
    return of("rls/drafts")();
  }),
  "DELETE /v1/:app_id/rls/:table/:policy_name": row(
    managers,
    async () => of(`rls/drafts/${await policyOfDrafts()}`)(),
  ),

  "GET /v1/:app_id/admin/auth/signing-keys": row(managers, of("admin/auth/signing-keys")),
  "POST /v1/:app_id/admin/auth/signing-keys/rotate": row(
    managers,
    of("admin/auth/signing-keys/rotate", { former: "keep" }),
  ),
  "GET /v1/:app_id/admin/auth/users": row(managers, of("admin/auth/users")),
  "PATCH /v1/:app_id/admin/auth/users/:user_id": row(
    managers,
    () => of(`admin/auth/users/${w.b}`, { blocked: false })(),
  ),
  "DELETE /v1/:app_id/admin/auth/users/:user_id": row(
    managers,
    async () => of(`admin/auth/users/${(await w.users.signUp()).id}`)(),
  ),
  "GET /v1/:app_id/admin/auth/outbox": row(managers, of("admin/auth/outbox")),

  "POST /auth/:app_id/signup": row(
    open,
    () => auth("signup", { email: newEmail(), password: goodPassword }),
    {
      status: 201,
    },
  ),
  "POST /auth/:app_id/login": row(open, async () => {
    const { email } = await w.users.signUp();
    return auth("login", { email, password: goodPassword });
  }),
  "POST /auth/:app_id/refresh": row(
    open,
    async () => auth("refresh", { refresh_token: (await w.users.signedIn()).refresh_token }),
  ),
  "POST /auth/:app_id/logout": row(endUsers, () => auth("logout", {})),
  "GET /auth/:app_id/me": row(endUsers, () => auth("me"), {
    check: ({ id }, caller) => assert.equal(id, caller === "userA" ? w.a : w.b),
  }),
  "POST /auth/:app_id/verify-email": row(
    open,
    async () => auth("verify-email", await withCode("email_verify")),
  ),
  "POST /auth/:app_id/forgot-password": row(open, () => auth("forgot-password", { email: newEmail() })),
  "POST /auth/:app_id/reset-password": row(open, async () =>
    auth("reset-password", {
      ...await withCode("password_reset", "forgot-password"),
      new_password: goodPassword,
    })),
  "POST /auth/:app_id/magic-link": row(open, () => auth("magic-link", { email: newEmail() })),
  "POST /auth/:app_id/magic-link/verify": row(
    open,
    async () => auth("magic-link/verify", await withCode("magic_link", "magic-link")),
  ),
  "GET /auth/:app_id/.well-known/jwks.json": row(open, () => auth(".well-known/jwks.json")),
  "GET /auth/:app_id/oauth/:provider": row(open, async () => auth(`oauth/${await provider()}`), {
    status: 302,
  }),
  // No sign-in was begun, whatever the bearer is: the cookie and the state alone tell.
  "GET /auth/:app_id/oauth/:provider/callback": row(
    open,
    async () => auth(`oauth/${await provider()}/callback?code=c&state=s`),
    { status: 400 },
  ),
  "POST /auth/:app_id/oauth/:provider/callback": row(
    open,
    async () => auth(`oauth/${await provider()}/callback`, new URLSearchParams({ code: "c", state: "s" })),
    { status: 400 },
  ),
  "POST /v1/:app_id/auth/oauth-config": row(
    managers,
    () => of("auth/oauth-config", providerDraft("corp"))(),
  ),
  "GET /v1/:app_id/auth/oauth-config": row(managers, of("auth/oauth-config")),
  "GET /v1/:app_id/auth/oauth-config/:provider": row(
    managers,
    async () => of(`auth/oauth-config/${await provider()}`)(),
  ),
  "PATCH /v1/:app_id/auth/oauth-config/:provider": row(
    managers,
    async () => of(`auth/oauth-config/${await provider()}`, { enabled: false })(),
  ),
  "DELETE /v1/:app_id/auth/oauth-config/:provider": row(
    managers,
    async () => of(`auth/oauth-config/${await provider()}`)(),
  ),

  "GET /v1/:app_id/:table": row(readers, async () => of(`notes?id=eq.${await noteOfA()}`)(), {
    check: (rows, caller) => assert.equal(rows.length, seesA(caller) ? 1 : 0, caller),
  }),
  "POST /v1/:app_id/:table": row(writers, (caller) => of("notes", { title: caller })(), {
    status: 201,
    check: ({ user_id }, caller) =>
      assert.equal(user_id, { userA: w.a, userB: w.b }[caller as string] ?? null, caller),
  }),
  "PATCH /v1/:app_id/:table": row(
    readers,
    async () => of(`notes?id=eq.${await noteOfA()}`, { title: "changed" })(),
    { check: (rows, caller) => assert.equal(rows.length, seesA(caller) ? 1 : 0, caller) },
  ),
  "DELETE /v1/:app_id/:table": row(readers, async () => of(`notes?id=eq.${await noteOfA()}`)(), {
    check: ({ deleted }, caller) => assert.equal(deleted, seesA(caller) ? 1 : 0, caller),
  }),
  "GET /v1/:app_id/:table/:id": row(ofUserA, async () => of(`notes/${await noteOfA()}`)()),
  "PATCH /v1/:app_id/:table/:id": row(
    ofUserA,
    async () => of(`notes/${await noteOfA()}`, { title: "changed" })(),
  ),
  "DELETE /v1/:app_id/:table/:id": row(ofUserA, async () => of(`notes/${await noteOfA()}`)()),
};

Deno.test("every route that the server has is in the table, and no other", () => {
  const routes = p.platform.routes.filter(({ path }) => path !== "/*").map(({ method, path }) =>
    `${method} ${path}`
  );
  assert.deepEqual(Object.keys(table).sort(), [...new Set(routes)].sort());
});

for (const [route, { rule, status, ask, check, after }] of Object.entries(table)) {
  Deno.test(`${route} answers each caller as the rule says`, async () => {
    const [verb = ""] = route.split(" ");
    const method = verb === "ALL" ? "POST" : verb;
    const passing = callers.filter((caller) => rule[caller] === "passes");
    const first = await ask(passing[0] as Caller);
    for (const caller of callers) {
      const outcome = rule[caller];
      if (outcome === "passes") continue;
      const { status, body } = await send(method, caller, first);
      assert.deepEqual([status, body?.error?.code], outcome, caller);
    }
    for (const [at, caller] of passing.entries()) {
      const asked = at === 0 ? first : await ask(caller);
      const answer = await send(method, caller, asked);
      assert.equal(answer.status, status, `${caller}: ${JSON.stringify(answer.body)}`);
      check?.(answer.body, caller);
    }
    await after?.();
  });
}

async function send(
  method: string,
  caller: Caller,
  { path, body = null, bearer }: Asked,
): Promise<{ status: number; body: any }> {
  const key = bearer ?? w.bearers[caller];
  const response = await p.request(method, path, { key, body, redirect: "manual" });
  const { status } = response;
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/json")) return { status, body: await response.json() };
  await response.body?.cancel();
  return { status, body: null };
}
