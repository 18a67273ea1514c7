// Row-level security against a real database: whatever an expression is, it stays where it is put; a change that has to wait
// says for what, and two at once come one after the other.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { App } from "../../apps/app_registry.ts";
import { systemClock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import { newAppId } from "../../core/ids.ts";
import { silentLogger } from "../../core/log.ts";
import { serviceIdentity } from "../../core/principal.ts";
import { openTestApp, type TestApp } from "../../db/testing.ts";
import { Catalogues } from "../catalogue/mod.ts";
import { type PolicyDraft, RowSecurity } from "./mod.ts";

interface World extends AsyncDisposable {
  test: TestApp;
  app: App;
  rls: RowSecurity;
}

async function openWorld(): Promise<World> {
  const test = await openTestApp();
  const { notices, control } = test.database;
  const catalogues = new Catalogues({ databases: test.apps, notices, clock: systemClock, log: silentLogger });
  const waits = { turnMs: 5_000, tableMs: 50 };
  await test.run(
    serviceIdentity,
    "create table notes (id int, owner text); create table others (id int); insert into others values (1)",
  );
  return {
    test,
    app: { id: newAppId(), databaseName: test.name } as App,
    rls: new RowSecurity({ databases: test.apps, catalogues, control, waits }),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

const draft: PolicyDraft = {
  table: "notes",
  name: "own",
  command: "ALL",
  role: null,
  using: "true",
  withCheck: null,
  kind: "permissive",
  userColumn: null,
};

const pieces = [
  ..."()'\";,$\\-/*.:[]=".split(""),
  ..."-- /* */ $$ $a$ E' U&' B' :: \n true false null owner id notes others ) ( ); with check using drop table"
    .split(" "),
  "true)",
  "(true",
  "drop policy other_policy on others",
  "alter table notes disable row level security",
  "select 1",
  "'a'",
  "1 = 1",
  "exists (select from others)",
  "0x1F",
  "é𝄞",
];
const expression = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })), {
  maxLength: 12,
})
  .map((parts) => parts.join(" "));

Deno.test("no expression does anything but make its one policy, or fail by a name", async () => {
  await using world = await openWorld();
  const { test, rls, app } = world;
  await test.run(
    serviceIdentity,
    "alter table others enable row level security; create policy other_policy on others using (false)",
  );
  const rest = () =>
    test.run(
      serviceIdentity,
      `select (select string_agg(relname::text || relrowsecurity::text, ' ' order by relname) from pg_class where relnamespace = 'public'::regnamespace and relname <> 'notes'),
        (select string_agg(polname::text || polcmd::text || coalesce(pg_get_expr(polqual, polrelid), ''), ' ') from pg_policy where polname <> 'own'),
        (select count(*) from others), (select count(*) from pg_policy where polname = 'own' and polcmd = 'r' and polwithcheck is null)`,
    );
  await rls.createPolicy(app, { ...draft, command: "SELECT" });
  const before = await rest();
  await fc.assert(
    fc.asyncProperty(expression, async (using) => {
      try {
        await rls.createPolicy(app, { ...draft, command: "SELECT", using });
      } catch (error) {
        assert.ok(error instanceof AppError, String(error));
        assert.match(error.code, /^RLS_/);
      }
      assert.deepEqual(await rest(), before);
    }),
    {
      numRuns: 300,
      examples: [["true); drop table others; --"], ["true) with check (true"], [
        "exists (select from others)",
      ]],
    },
  );
});

Deno.test("a change waits for a transaction that uses the table, then says which, and has changed nothing", async () => {
  await using world = await openWorld();
  const { test, rls, app } = world;
  const busy = await test.apps.begin(test.name, serviceIdentity);
  await busy.query({ text: "insert into notes values (1, 'ada')", parameters: [] });
  await assert.rejects(rls.createPolicy(app, draft), {
    code: "SCHEMA_LOCKED",
    message: /^Cannot create policy "own" on table "notes": table "notes" is in use: .*insert into notes/,
  });
  assert.deepEqual(await rls.list(app), { policies: [], tables_with_rls: [] });
  await busy.commit();
  await rls.createPolicy(app, draft);
});

Deno.test("changes at once come one after the other", async () => {
  await using world = await openWorld();
  const { rls, app } = world;
  const names = ["a", "b", "c", "d", "e", "f"];
  await Promise.all(
    names.flatMap((name) => [rls.createPolicy(app, { ...draft, name }), rls.enable(app, "notes")]),
  );
  const { policies } = await rls.list(app);
  assert.deepEqual(policies.map(({ policyname }) => policyname), [...names, "notes_service_bypass"]);
  assert.equal(await rls.deleteAll(app, "notes"), 7);
});
