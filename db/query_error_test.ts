import assert from "node:assert/strict";
import { serviceIdentity } from "../core/principal.ts";
import { QueryError } from "./query_error.ts";
import { openTestApp } from "./testing.ts";

Deno.test("a statement with too few or too many parameters is its author's mistake, and the database is well", async () => {
  await using app = await openTestApp();
  for (const parameters of [[], ["1", "2"]]) {
    await assert.rejects(
      app.run(serviceIdentity, "select $1::int as n", parameters),
      (error: unknown) => error instanceof QueryError && /^(08P01|42P02)$/.test(error.code),
    );
  }
  assert.deepEqual(await app.run(serviceIdentity, "select $1::int as n", ["1"]), [["1"]]);
});
