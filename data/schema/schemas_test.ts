// Any document, over any former one: what it wants is what is there afterwards, and then it wants nothing more.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { App } from "../../apps/app_registry.ts";
import { systemClock } from "../../core/clock.ts";
import { newAppId } from "../../core/ids.ts";
import { silentLogger } from "../../core/log.ts";
import { openTestApp } from "../../db/testing.ts";
import { Catalogues } from "../catalogue/mod.ts";
import { Schemas } from "./mod.ts";

const names = ["alpha", "beta", "constructor"];

/** Types that convert into one another, with defaults in several spellings. */
const values: readonly [string, readonly unknown[]][] = [
  ["text", ["'1'", "concat('1', '2')", "$$1$$"]],
  ["varchar(9)", ["'1'", "'1'::text", "substr('12', 1, 1)"]],
  ["INT", [1, "-1", "1 + 1"]],
  ["int8", ["1", "abs(-1)"]],
  ["decimal(8, 2)", [1.5, "round(1.234, 1)"]],
  ["bigserial", []],
];

const value = fc.constantFrom(...values).chain(([type, defaults]) =>
  fc.record({
    type: fc.constant(type),
    nullable: type === "bigserial" ? fc.constant(false) : fc.boolean(),
    ...(defaults.length === 0 ? {} : { default: fc.constantFrom(null, ...defaults) }),
  })
);
const reference = fc.record({
  type: fc.constant("integer"),
  references: fc.oneof(
    fc.constantFrom(...names.map((name) => `${name}.id`)),
    fc.record({
      table: fc.constantFrom(...names),
      column: fc.constant("id"),
      onDelete: fc.constantFrom("CASCADE", "SET NULL", "NO ACTION"),
    }),
  ),
});
const checks = fc.dictionary(
  fc.constantFrom("first_check", "second_check"),
  fc.constantFrom(
    "id > 0",
    "id in (1, 2, 3) -- few",
    "v is not null",
    "v in ('1', '2')",
    "v::text like '1%'",
  ),
);
const index = fc.record({
  columns: fc.constantFrom(["v"], ["id", "v"], ["ref"]),
  unique: fc.boolean(),
  where: fc.constantFrom(null, "id > 5", "v in ('1', '2')"),
});
const table = fc.record({
  id: fc.constantFrom("int", "serial"),
  v: value,
  ref: reference,
  further: fc.boolean(),
  checks,
  indexes: fc.array(index, { maxLength: 2 }),
  uniques: fc.constantFrom([], [["v"]], [["v", "id"]]),
  rls: fc.constantFrom(undefined, true, false),
});
const documents = fc.array(fc.record(Object.fromEntries(names.map((name) => [name, table]))), {
  minLength: 1,
  maxLength: 3,
});

type Drawn = Record<string, typeof table extends fc.Arbitrary<infer Value> ? Value : never>;

/** The document, which asks by name for all that it may have to drop or convert. */
function documentFor(drawn: Drawn): { tables: Record<string, unknown> } {
  const tables = Object.entries(drawn).map(([name, { id, v, ref, further, indexes, ...rest }]) => [name, {
    columns: {
      id: { type: id, primaryKey: true },
      v,
      ref,
      ...(further ? { further: { type: "jsonb", default: "'{}'" } } : {}),
    },
    indexes: Object.fromEntries(indexes.map((each, at) => [`${name}_${at}`, each])),
    _dropColumns: further ? [] : ["further"],
    _changeTypes: ["id", "v"],
    _dropConstraints: ["first_check", "second_check", `${name}_v_key`, `${name}_v_id_key`]
      .filter((constraint) => !(constraint in rest.checks)),
    ...rest,
  }]);
  return { tables: Object.fromEntries(tables) };
}

Deno.test("a document over any other makes what it says, and the same again, or what is shown then, does nothing", async () => {
  await using test = await openTestApp();
  const { control, notices } = test.database;
  const catalogues = new Catalogues({
    databases: test.apps,
    notices,
    clock: systemClock,
    log: silentLogger,
  });
  const schemas = new Schemas({ databases: test.apps, catalogues, control });
  const app = { id: newAppId(), databaseName: test.name } as App;
  const apply = (schema: unknown, mode: "apply" | "dry_run" = "apply") =>
    schemas.apply(app, { schema, name: "", mode });

  await fc.assert(
    fc.asyncProperty(documents, async (drawn) => {
      for (const document of (drawn as Drawn[]).map(documentFor)) {
        const dry = await apply(document, "dry_run");
        const done = await apply(document);
        assert.deepEqual(
          "statements" in done ? done.statements : [],
          "statements" in dry ? dry.statements : [],
        );
        const again = await apply(document);
        assert.equal(again.kind, "unchanged", JSON.stringify(again, null, 1));
        const shown = await schemas.view(app);
        const fromView = await apply(shown);
        assert.equal(fromView.kind, "unchanged", JSON.stringify(fromView, null, 1));
        assert.deepEqual(await schemas.view(app), shown);
      }
      const gone = await apply({ tables: {}, _drop: names });
      assert.equal(gone.kind, "applied");
      assert.deepEqual(await schemas.view(app), { tables: {} });
    }),
    { numRuns: 25 },
  );
});
