// The query language against a model of it: random tables, filters, orders and pages, compiled, run by PostgreSQL, and
// compared with what the same means in JavaScript.

import fc from "fast-check";
import assert from "node:assert/strict";
import type { App } from "../../apps/app_registry.ts";
import { systemClock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import { newAppId } from "../../core/ids.ts";
import { silentLogger } from "../../core/log.ts";
import { serviceIdentity } from "../../core/principal.ts";
import { openTestApp } from "../../db/testing.ts";
import { Catalogues } from "../catalogue/mod.ts";
import { parsePreferences, Rest } from "./mod.ts";

type Value = number | string | boolean | null;
type Row = Record<string, Value>;
/** SQL's third truth value is `null`. */
type Truth = boolean | null;

interface Filter {
  /** As it stands inside a group. */
  text: string;
  /** As it stands as a parameter of its own. */
  parameter: [string, string];
  holds: (row: Row) => Truth;
}

const letters = fc.string({
  unit: fc.constantFrom("a", "b", "ä", "%", "_", ",", ")", '"', "\\", "."),
  maxLength: 4,
});
const numbers = fc.integer({ min: -3, max: 3 });
const columns = { n: numbers, t: letters, b: fc.boolean() } as const;

/** As the language quotes a value in a group. */
const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
const negated = (truth: Truth): Truth => truth === null ? null : !truth;

function compare(a: Value, b: Value): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  return Number(a) - Number(b);
}

const tests: Record<string, (order: number) => boolean> = {
  eq: (order) => order === 0,
  neq: (order) => order !== 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
};

const comparison: fc.Arbitrary<Filter> = fc.constantFrom("n" as const, "t" as const, "b" as const).chain((
  column,
) =>
  fc.record({
    operator: fc.constantFrom(...Object.keys(tests), "isdistinct", "in"),
    not: fc.boolean(),
    values: fc.array(columns[column] as fc.Arbitrary<Exclude<Value, null>>, { minLength: 1, maxLength: 3 }),
  }).map(({ operator, not, values }): Filter => {
    const [value] = values as [Value];
    const word = `${not ? "not." : ""}${operator}.`;
    const list = `(${values.map((each) => quoted(String(each))).join(",")})`;
    const truth = (row: Row): Truth => {
      const held = row[column] as Value;
      if (operator === "isdistinct") return held === null || compare(held, value) !== 0;
      if (held === null) return null;
      if (operator === "in") return values.some((each) => compare(held, each) === 0);
      return tests[operator]?.(compare(held, value)) as boolean;
    };
    return {
      text: `${column}.${word}${operator === "in" ? list : quoted(String(value))}`,
      parameter: [column, `${word}${operator === "in" ? list : value}`],
      holds: (row) => not ? negated(truth(row)) : truth(row),
    };
  })
);

const state: fc.Arbitrary<Filter> = fc.constantFrom<[string, string, (row: Row) => Truth]>(
  ["n", "is.null", (row) => row["n"] === null],
  ["b", "is.true", (row) => row["b"] === true],
  ["b", "is.false", (row) => row["b"] === false],
  ["t", "not.is.null", (row) => row["t"] !== null],
).map(([column, text, holds]) => ({ text: `${column}.${text}`, parameter: [column, text], holds }));

const { filter } = fc.letrec<{ filter: Filter; group: Filter }>((tie) => ({
  filter: fc.oneof({ depthSize: "small", withCrossShrink: true }, comparison, state, tie("group")),
  group: fc.record({
    joint: fc.constantFrom("and", "or"),
    not: fc.boolean(),
    parts: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }),
  }).map(({ joint, not, parts }): Filter => {
    const key = `${not ? "not." : ""}${joint}`;
    const inner = `(${parts.map(({ text }) => text).join(",")})`;
    const truth = (row: Row): Truth => {
      const truths = parts.map(({ holds }) => holds(row));
      const decisive = joint === "or";
      return truths.includes(decisive) ? decisive : truths.includes(null) ? null : !decisive;
    };
    return {
      text: `${key}${inner}`,
      parameter: [key, inner],
      holds: (row) => not ? negated(truth(row)) : truth(row),
    };
  }),
}));

const world = fc.record({
  rows: fc.array(
    fc.record({ n: fc.option(numbers), t: fc.option(letters), b: fc.option(fc.boolean()) }),
    { maxLength: 12 },
  ),
  filters: fc.array(filter, { maxLength: 3 }),
  order: fc.uniqueArray(
    fc.record({
      column: fc.constantFrom("n", "t", "b"),
      direction: fc.constantFrom("", ".asc", ".desc"),
      nulls: fc.constantFrom("", ".nullsfirst", ".nullslast"),
    }),
    { selector: ({ column }) => column, maxLength: 3 },
  ),
  limit: fc.option(fc.integer({ min: 1, max: 8 })),
  offset: fc.option(fc.integer({ min: 0, max: 8 })),
});

async function openRest() {
  const test = await openTestApp();
  const databases = test.apps;
  const catalogues = new Catalogues({
    databases,
    notices: test.database.notices,
    clock: systemClock,
    log: silentLogger,
  });
  const limits = { rows: 1000, bytes: 1_000_000, statementMs: 60_000 };
  const rest = new Rest({ databases, catalogues, limits });
  const app = { id: newAppId(), databaseName: test.name } as App;
  const prefer = parsePreferences("count=exact");
  const request = (params: URLSearchParams) => ({
    app,
    identity: serviceIdentity,
    table: "m",
    params,
    prefer,
  });
  return {
    rest,
    request,
    async list(params: URLSearchParams) {
      const { json, counted } = await rest.list(request(params));
      return {
        rows: JSON.parse(new TextDecoder().decode(json as Uint8Array)) as Row[],
        total: counted?.total,
      };
    },
    sql: (text: string) => test.run(serviceIdentity, text),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

Deno.test("a list is what its filters, order and page mean", async () => {
  await using test = await openRest();
  await test.sql(`create table m (id serial primary key, n int, t text collate "C", b boolean)`);
  await fc.assert(
    fc.asyncProperty(world, async ({ rows, filters, order, limit, offset }) => {
      await test.sql("truncate m restart identity");
      const stored: Row[] = rows.map((row, at) => ({ id: at + 1, ...row }));
      if (rows.length > 0) await test.rest.insert(test.request(new URLSearchParams()), rows);
      const params = new URLSearchParams(filters.map(({ parameter }) => parameter));
      params.set(
        "order",
        [...order.map(({ column, direction, nulls }) => `${column}${direction}${nulls}`), "id"].join(),
      );
      if (limit !== null) params.set("limit", String(limit));
      if (offset !== null) params.set("offset", String(offset));

      const matching = stored.filter((row) => filters.every(({ holds }) => holds(row) === true));
      const sorted = matching.toSorted((a, b) => {
        for (const { column, direction, nulls } of order) {
          const [left, right] = [a[column] as Value, b[column] as Value];
          const down = direction === ".desc";
          const nullsFirst = nulls === "" ? down : nulls === ".nullsfirst";
          if (left === null || right === null) {
            if (left === right) continue;
            return (left === null) === nullsFirst ? -1 : 1;
          }
          const by = compare(left, right);
          if (by !== 0) return down ? -by : by;
        }
        return compare(a["id"] as Value, b["id"] as Value);
      });
      const from = offset ?? 0;
      const expected = sorted.slice(from, limit === null ? undefined : from + limit);
      const listed = await test.list(params);
      assert.deepEqual(listed, { rows: expected, total: matching.length }, params.toString());
    }),
    { numRuns: 300 },
  );
});

Deno.test("no query string does more than read, and what is wrong with one is the caller's to mend", async () => {
  await using test = await openRest();
  await test.sql(
    `create table m (id serial primary key, n int, t text, j jsonb, a int[]); insert into m (n, t) values (1, 'x')`,
  );
  const pieces = [
    ..."'\"\\();,.%*$ \n\0{}[]=-",
    ..."eq.|in.|is.|not.|or|and|like.|fts.|cs.|n|t|j|a|id|select|order|limit|offset|null|desc|nullslast|$1|--|/*|::int|1|{1}|ü|😀"
      .split("|"),
    "'; drop table m; --",
    "1) or 1=1 --",
    "pg_sleep(9)",
    '"x"."y"',
    "(select 1)",
  ];
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(""));
  const key = fc.oneof(
    text,
    fc.constantFrom("n", "t", "j", "a", "or", "and", "not.or", "select", "order", "limit", "offset"),
  );
  const value = fc.oneof(
    text,
    fc.tuple(fc.constantFrom("eq.", "in.(", "like.", "fts.", "cs.", "not.ov.", "is.", "("), text).map((
      parts,
    ) => parts.join("")),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(key, value), { maxLength: 4 }), async (pairs) => {
      try {
        await test.list(new URLSearchParams(pairs));
      } catch (error) {
        assert.ok(error instanceof AppError && error.status < 500, String(error));
      }
    }),
    { numRuns: 1500 },
  );
  assert.deepEqual(await test.sql("select n, t from m"), [["1", "x"]]);
});

Deno.test("what is inserted or set comes back as it was", async () => {
  await using test = await openRest();
  await test.sql(
    "create table m (id serial primary key, t text, j jsonb, ta text[], i8 int8, f8 float8, ba int8[])",
  );
  const text = fc.string({ unit: "binary", maxLength: 12 }).map((each) => each.replaceAll("\0", ""));
  const whole = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
  // JSON has no -0, and PostgreSQL no NUL in it.
  const unit = fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((each) => each !== "\0");
  const json = fc.jsonValue({ stringUnit: unit }).map((each) => JSON.parse(JSON.stringify(each)));
  const row = fc.record({
    t: fc.option(text),
    j: fc.option(json),
    ta: fc.option(fc.array(fc.option(text), { maxLength: 4 })),
    i8: fc.option(whole),
    f8: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => each === 0 ? 0 : each)),
    ba: fc.option(fc.array(fc.option(whole), { maxLength: 4 })),
  });
  const read = ({ json }: { json: Uint8Array | null }) =>
    JSON.parse(new TextDecoder().decode(json as Uint8Array));
  const request = test.request(new URLSearchParams());
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 3 }), row, async (rows, change) => {
      await test.sql("truncate m restart identity");
      const stored = rows.map((each, at) => ({ id: at + 1, ...each }));
      assert.deepEqual(read(await test.rest.insert(request, rows)), stored);
      assert.deepEqual(read(await test.rest.read(request, "1")), [stored[0]]);
      assert.deepEqual(read(await test.rest.update(request, "1", change)), [{ id: 1, ...change }]);
    }),
    { numRuns: 200 },
  );
});
