// The catalogue against real databases: what it says of tables however they were made, and when it finds changes.

import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { type AppId, newAppId } from "../../core/ids.ts";
import { silentLogger } from "../../core/log.ts";
import { serviceIdentity } from "../../core/principal.ts";
import { openTestApp } from "../../db/testing.ts";
import { Catalogues } from "./mod.ts";

interface World extends AsyncDisposable {
  app: { id: AppId; databaseName: string };
  catalogues: Catalogues;
  /** How many statements the catalogue has sent. */
  asked(): number;
  wind(ms: number): void;
  sql(text: string): Promise<unknown>;
}

async function openWorld(): Promise<World> {
  const test = await openTestApp();
  let asked = 0;
  let at = 0;
  const databases = {
    ...test.apps,
    query: (...question: Parameters<typeof test.apps.query>) => (asked++, test.apps.query(...question)),
  };
  const clock = { ...systemClock, monotonic: () => at };
  const { notices } = test.database;
  return {
    app: { id: newAppId(), databaseName: test.name },
    catalogues: new Catalogues({ databases, notices, clock, log: silentLogger }),
    asked: () => asked,
    wind: (ms) => void (at += ms),
    sql: (text) => test.run(serviceIdentity, text),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

Deno.test("of() tells columns, keys, indexes and access of tables in PostgreSQL's own spelling", async () => {
  await using world = await openWorld();
  await world.sql(
    `create table people (id bigserial primary key, name varchar(20) not null, unique (name, id));
    create table "constructor" ("Ünï" int generated always as identity, "__proto__" int4 default 7);
    create table pgadmin (
      a int, b int, person int8 references people on delete cascade,
      twice int generated always as (a * 2) stored, at timestamptz default now(),
      primary key (b, a), constraint positive check (a > 0));
    create index by_at on pgadmin (at desc); create unique index once on pgadmin (person) where a > 5;
    create index by_text on people (lower(name));
    alter table people enable row level security;
    select butterbase.set_table_open('pgadmin', true)`,
  );
  const { tables } = await world.catalogues.of(world.app);
  assert.deepEqual([...tables.keys()], ["constructor", "people", "pgadmin"]);

  const people = tables.get("people");
  assert.deepEqual([people?.rowSecurity, people?.open, people?.primaryKey], [true, false, ["id"]]);
  assert.deepEqual(people?.uniques.map(({ columns }) => columns), [["name", "id"]]);
  const id = people?.columns.get("id");
  assert.deepEqual([id?.type, id?.origin, id?.generated, id?.nullable], ["bigint", "serial", true, false]);
  assert.equal(people?.columns.get("name")?.type, "character varying(20)");
  assert.deepEqual(people?.indexes.map(({ name, plain, columns }) => [name, plain, columns]), [
    ["by_text", false, [null]],
  ]);

  const odd = tables.get("constructor")?.columns;
  assert.equal(odd?.get("Ünï")?.origin, "identity_always");
  assert.deepEqual([odd?.get("__proto__")?.default, odd?.get("__proto__")?.generated], ["7", false]);

  const pgadmin = tables.get("pgadmin");
  assert.deepEqual([pgadmin?.open, pgadmin?.rowSecurity, pgadmin?.primaryKey], [true, false, ["b", "a"]]);
  assert.deepEqual(pgadmin?.foreignKeys, [{
    name: "pgadmin_person_fkey",
    columns: ["person"],
    table: "people",
    references: ["id"],
    onDelete: "CASCADE",
    onUpdate: "NO ACTION",
  }]);
  assert.deepEqual(pgadmin?.checks, [{ name: "positive", expression: "(a > 0)" }]);
  assert.equal(pgadmin?.columns.get("twice")?.origin, "computed");
  assert.deepEqual(pgadmin?.indexes.map(({ name, plain, unique, where }) => [name, plain, unique, where]), [
    ["by_at", false, false, null],
    ["once", true, true, "(a > 5)"],
  ]);
});

Deno.test("of() asks once, refresh() at most once a second, and both share a look under way", async () => {
  await using world = await openWorld();
  const { catalogues, app } = world;
  const [one, two] = await Promise.all([catalogues.of(app), catalogues.of(app)]);
  assert.equal(one, two);
  const first = world.asked();
  assert.equal(await catalogues.of(app), one);
  await Promise.all([catalogues.refresh(app), catalogues.refresh(app)]);
  assert.equal(world.asked(), first);
  world.wind(1_000);
  assert.equal(await catalogues.refresh(app), one, "an unchanged schema keeps its catalogue");
  assert.equal(world.asked(), first + 1);
});

const changes = [
  "create table more ()",
  "alter table base add extra int",
  "alter table base alter id type bigint",
  "alter table base alter id set default 3",
  "alter table base alter id drop not null",
  "alter table base rename to renamed",
  "alter table base rename id to renamed",
  "alter table base add constraint c check (id > 1)",
  "create index i on base (id)",
  "alter table base enable row level security",
  "select butterbase.set_table_open('base', true)",
  "drop table base",
];
for (const change of changes) {
  Deno.test(`refresh() finds what SQL of a function has done: ${change}`, async () => {
    await using world = await openWorld();
    await world.sql("create table base (id int not null)");
    const before = await world.catalogues.of(world.app);
    await world.sql(change);
    assert.equal(await world.catalogues.refresh(world.app), before);
    const after = await world.catalogues.refresh(world.app, { when: "now" });
    assert.notEqual(after.revision, before.revision);
    assert.notDeepEqual(after.tables, before.tables);
  });
}

Deno.test("of() looks again behind its answer after a few seconds, and at once after a notice", async () => {
  await using world = await openWorld();
  const { catalogues, app } = world;
  await catalogues.of(app);
  await world.sql("create table late ()");
  world.wind(5_001);
  assert.equal((await catalogues.of(app)).tables.size, 0);
  assert.deepEqual([...(await catalogues.refresh(app, { when: "now" })).tables.keys()], ["late"]);
  await world.sql("create table later ()");
  await catalogues.changed(app.id);
  assert.deepEqual([...(await catalogues.of(app)).tables.keys()], ["late", "later"]);
});
