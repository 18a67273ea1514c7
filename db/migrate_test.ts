// Migrations run once, in order, all or nothing each, whichever node comes first.

import assert from "node:assert/strict";
import { migrate } from "./migrate.ts";
import { migrations } from "./migrations/index.ts";
import { openTestDatabase } from "./testing.ts";

const next = Math.max(...migrations.map(({ version }) => version)) + 1;
const people = {
  version: next,
  name: "people",
  sql: "create table people (id int); insert into people values (1)",
};
const pets = { version: next + 1, name: "pets", sql: "create table pets (id int)" };

Deno.test("migrate() runs what is missing, once, also when two nodes start together", async () => {
  await using test = await openTestDatabase();
  const { control } = test.database;
  assert.deepEqual(await migrate(control, [...migrations, people]), [next]);
  const ran = await Promise.all([1, 2].map(() => migrate(control, [...migrations, people, pets])));
  assert.deepEqual(ran.flat(), [next + 1]);
  assert.deepEqual([...await control`select id from people`], [{ id: 1 }]);
});

Deno.test("migrate() undoes a migration that fails, and names it", async () => {
  await using test = await openTestDatabase();
  const { control } = test.database;
  const broken = { ...pets, sql: "create table pets (id int); select 1/0" };
  await assert.rejects(
    migrate(control, [...migrations, people, broken]),
    /migration \d+ \(pets\): division by zero/,
  );
  assert.deepEqual(await migrate(control, [...migrations, people, pets]), [next + 1]);
});

Deno.test("migrate() refuses changed history, a newer database and a number out of order", async () => {
  await using test = await openTestDatabase();
  const { control } = test.database;
  await migrate(control, [...migrations, people]);
  await assert.rejects(migrate(control, [...migrations, { ...people, sql: "select 1" }]), /another text/);
  await assert.rejects(migrate(control, migrations), /does not know/);
  await assert.rejects(migrate(control, [...migrations, pets, people]), /stands behind/);
});
