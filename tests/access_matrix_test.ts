// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Who may do what: every route that the server has, asked by everybody. A route that is not in the table fails. Those who
// are refused ask first, and of the same thing as the first who is not: what they had done would show.

import assert from "node:assert/strict";
import { type Caller, callers, openWorld, type World } from "./harness/access.ts";
import { type Asked, routes } from "./harness/access_routes.ts";
import { functionCallers, managers, readers } from "./harness/access_rules.ts";
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

Deno.test("every route that the server has is in the table, and no other", () => {
  const served = p.platform.routes.filter(({ path }) => path !== "/*").map(({ method, path }) =>
    `${method} ${path}`
  );
  assert.deepEqual(Object.keys(routes).sort(), [...new Set(served)].sort());
});

for (const [route, { rule, status, ask, check, after }] of Object.entries(routes)) {
  Deno.test(`${route} answers each caller as the rule says`, async () => {
    const [verb = ""] = route.split(" ");
    const method = verb === "ALL" ? "POST" : verb;
    const passing = callers.filter((caller) => rule[caller] === "passes");
    const first = await ask(w, passing[0] as Caller);
    for (const caller of callers) {
      const outcome = rule[caller];
      if (outcome === "passes") continue;
      const { status, body } = await send(method, caller, first);
      assert.deepEqual([status, body?.error?.code], outcome, caller);
    }
    for (const [at, caller] of passing.entries()) {
      const asked = at === 0 ? first : await ask(w, caller);
      const answer = await send(method, caller, asked);
      assert.equal(answer.status, status, `${caller}: ${JSON.stringify(answer.body)}`);
      check?.(answer.body, caller, w);
    }
    await after?.(w);
  });
}

Deno.test("X-Butterbase-As-… makes a platform key of the app somebody else, and nobody else", async () => {
  const headers = { "x-butterbase-as-role": "user", "x-butterbase-as-user": w.a };
  const mine = await p.json("POST", `/v1/${w.app}/notes`, {
    key: w.bearers.userA,
    body: { title: "as a user" },
  });
  assert.equal(mine.status, 201);
  for (const caller of callers) {
    const key = w.bearers[caller];
    const isKey = managers[caller] === "passes";
    const listed = await p.json("GET", `/v1/${w.app}/notes?id=eq.${mine.body.id}`, { key, headers });
    if (readers[caller] === "passes") {
      assert.equal(listed.body.length, isKey || caller === "userA" ? 1 : 0, caller);
    } else {
      assert.deepEqual([listed.status, listed.body.error.code], readers[caller], caller);
    }
    const called = await p.json("POST", `/v1/${w.app}/fn/who`, { key, headers, body: {} });
    if (isKey) {
      assert.deepEqual(called.body, { role: "butterbase_user", id: w.a, user: w.a }, caller);
    } else {
      const refused = functionCallers[caller] === "passes"
        ? [403, "AUTH_IMPERSONATION_FORBIDDEN"]
        : functionCallers[caller];
      assert.deepEqual([called.status, called.body.error.code], refused, caller);
    }
  }
});

async function send(
  method: string,
  caller: Caller,
  { path, body, bearer }: Asked,
): Promise<{ status: number; body: any }> {
  const key = bearer ?? w.bearers[caller];
  const response = await p.request(method, path, { key, body: body ?? null, redirect: "manual" });
  const { status } = response;
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/json")) return { status, body: await response.json() };
  await response.body?.cancel();
  return { status, body: null };
}
