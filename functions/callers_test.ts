// The table of docs/design: who may run a function over /fn/, and as what.

import assert from "node:assert/strict";
import type { App } from "../apps/app_registry.ts";
import { AppError } from "../core/errors.ts";
import type { AccountId, AppId, KeyId } from "../core/ids.ts";
import type { EndUserPrincipal, KeyReach, PlatformPrincipal } from "../core/principal.ts";
import type { HttpAuth } from "../core/trigger.ts";
import {
  admit,
  anonymousCaller,
  type CallerParts,
  type Credential,
  endUserCaller,
  loopbackCaller,
  platformCaller,
  readCredential,
} from "./callers.ts";
import type { LiveFunction } from "./function_registry.ts";

const owner = "00000000-0000-4000-8000-000000000001" as AccountId;
const appId = "app_000000000000" as AppId;
const app = { id: appId, ownerId: owner, anonKey: "bb_anon_x" } as App;

const fnWith = (auth: HttpAuth, allowServiceKeyImpersonation = true) =>
  ({
    name: "fn",
    http: { auth, methods: null, path: null },
    allowServiceKeyImpersonation,
  }) as LiveFunction;

function platform(reach: KeyReach, accountId = owner, operator = false): PlatformPrincipal {
  const scopes = reach.kind === "account" ? ["*"] : ["ai:gateway", `app:${reach.appId}`];
  return { kind: "platform", accountId, operator, keyId: "key-1" as KeyId, reach, scopes };
}

const user: EndUserPrincipal = {
  kind: "end_user",
  appId,
  userId: "u1",
  email: "u@example.com",
  claims: { role: "admin" },
};
const accountKey: Credential = { kind: "platform", principal: platform({ kind: "account" }) };
const appKey: Credential = { kind: "platform", principal: platform({ kind: "app", appId }) };

function codeOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error.code;
  }
  return "admitted";
}

const every: HttpAuth[] = ["required", "optional", "none"];

Deno.test("an end user runs everywhere, as butterbase_user with the token's id and claims", () => {
  for (const auth of every) {
    const caller = admit({ kind: "end_user", principal: user }, fnWith(auth), null);
    assert.deepEqual(caller.user, { id: "u1", email: "u@example.com", claims: { role: "admin" } });
    assert.deepEqual(caller.identity, { role: "butterbase_user", userId: "u1", claims: { role: "admin" } });
    assert.deepEqual(caller.caller, { type: "end_user_jwt", keyId: null, scope: null, userId: "u1" });
  }
});

Deno.test("a platform key with access runs everywhere, as the service and no user", () => {
  for (const auth of every) {
    const account = admit(accountKey, fnWith(auth), null);
    assert.deepEqual([account.user, account.identity.role], [null, "butterbase_service"]);
    assert.deepEqual(account.caller, { type: "service_key", keyId: "key-1", scope: "*", userId: null });
    assert.equal(admit(appKey, fnWith(auth), null).caller.scope, `app:${appId}`);
  }
});

Deno.test("a platform key may be seen as a user, unless the function forbids it", () => {
  for (const auth of every) {
    for (const key of [accountKey, appKey] as Credential[]) {
      const caller = admit(key, fnWith(auth), "  u2 ");
      assert.deepEqual(caller.identity, { role: "butterbase_user", userId: "u2", claims: null });
      assert.deepEqual([caller.user?.id, caller.caller.type, caller.caller.userId], [
        "u2",
        "service_key",
        "u2",
      ]);
      assert.equal(codeOf(() => admit(key, fnWith(auth, false), "u2")), "AUTH_IMPERSONATION_DISABLED");
      assert.equal(codeOf(() => admit(key, fnWith(auth, false), " ")), "admitted");
    }
  }
});

Deno.test("nobody, a wrong token and a foreign key run as anonymous where that is allowed, and only there", () => {
  const refusals = {
    none: "AUTH_REQUIRED",
    invalid: "AUTH_INVALID_TOKEN",
    foreign: "AUTH_REQUIRED",
  } as const;
  for (const [kind, code] of Object.entries(refusals)) {
    const credential = { kind } as Credential;
    assert.equal(codeOf(() => admit(credential, fnWith("required"), null)), code);
    for (const auth of ["optional", "none"] as const) {
      const caller = admit(credential, fnWith(auth), null);
      assert.deepEqual(caller.identity, { role: "butterbase_anon", userId: null, claims: null });
      assert.deepEqual([caller.user, caller.caller.type], [null, "anonymous"]);
    }
  }
});

Deno.test("only a key of the app makes anybody seem a user", () => {
  const others: Credential[] = [{ kind: "none" }, { kind: "invalid" }, { kind: "foreign" }, {
    kind: "end_user",
    principal: user,
  }];
  for (const credential of others) {
    assert.equal(codeOf(() => admit(credential, fnWith("none"), "u2")), "AUTH_IMPERSONATION_FORBIDDEN");
  }
});

Deno.test("ctx.invoke runs as its caller does", () => {
  for (
    const outer of [
      anonymousCaller,
      endUserCaller(user),
      platformCaller(platform({ kind: "account" }), fnWith("none"), ""),
    ]
  ) {
    const inner = loopbackCaller(app, outer);
    assert.deepEqual([inner.user, inner.identity], [outer.user, outer.identity]);
    assert.deepEqual(inner.caller, {
      type: "loopback",
      keyId: null,
      scope: `app:${appId}`,
      userId: outer.user?.id ?? null,
    });
  }
});

/** Keys and tokens that know `good`, whose principal is given; records what they were asked. */
function parts(found: PlatformPrincipal | EndUserPrincipal | null): CallerParts & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    keys: { check: (key: string) => (asked.push(`key ${key}`), found) } as unknown as CallerParts["keys"],
    tokens: {
      verify: (_: AppId, token: string) => (asked.push(`token ${token}`), found),
    } as unknown as CallerParts["tokens"],
  };
}

Deno.test("no bearer, an empty one and the app's anon key are no credential", async () => {
  for (
    const header of [null, "", "Basic abc", "bearer x", "Bearer ", "Bearer    ", `Bearer ${app.anonKey}`]
  ) {
    const given = parts(null);
    assert.deepEqual(await readCredential(given, app, header), { kind: "none" }, String(header));
    assert.deepEqual(given.asked, []);
  }
});

Deno.test("a platform key is its principal's within its reach, foreign outside, and invalid when unknown", async () => {
  const header = `Bearer bb_sk_${"0".repeat(40)}`;
  const kindFor = async (found: PlatformPrincipal | null) =>
    (await readCredential(parts(found), app, header)).kind;
  const stranger = "00000000-0000-4000-8000-000000000002" as AccountId;
  const otherApp = "app_111111111111" as AppId;
  assert.equal(await kindFor(platform({ kind: "account" })), "platform");
  assert.equal(await kindFor(platform({ kind: "app", appId })), "platform");
  assert.equal(await kindFor(platform({ kind: "account" }, stranger, true)), "platform");
  assert.equal(await kindFor(platform({ kind: "app", appId: otherApp })), "foreign");
  assert.equal(await kindFor(platform({ kind: "account" }, stranger)), "foreign");
  assert.equal(await kindFor(platform({ kind: "app", appId }, stranger)), "foreign");
  assert.equal(await kindFor(null), "invalid");
});

Deno.test("anything else is asked of the app's own tokens, and a key never is", async () => {
  const tokens = parts(user);
  assert.deepEqual(await readCredential(tokens, app, "Bearer a.b.c"), { kind: "end_user", principal: user });
  assert.deepEqual(tokens.asked, ["token a.b.c"]);
  assert.deepEqual(await readCredential(parts(null), app, "Bearer a.b.c"), { kind: "invalid" });
  const keys = parts(null);
  await readCredential(keys, app, "Bearer bb_sk_nonsense");
  assert.deepEqual(keys.asked, ["key bb_sk_nonsense"]);
});
