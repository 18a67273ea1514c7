// The platform's own statements in a session. All but the check are prepared under names, which SQL can drop or replace.
// The check is the unnamed statement, which SQL cannot reach: what it says of the others holds.

import { Outgoing, type StatementResult } from "./wire/mod.ts";

const named = {
  begin: "BEGIN",
  settings: `select pg_catalog.set_config('request.jwt.claim.sub', $1, true),
    pg_catalog.set_config('request.jwt.claims', $2, true)`,
  commit: "COMMIT",
  reset: "RESET ALL",
  close: "CLOSE ALL",
  unlisten: "UNLISTEN *",
  temp: "DISCARD TEMP",
  sequences: "DISCARD SEQUENCES",
};
const nameOf = (statement: keyof typeof named) => `butterbase_${statement}`;

/**
 * Releases the locks of the session. One row that begins with `f` says that no statement was prepared by SQL, so that
 * ours are still ours. It asks the function below the view, which costs half as much.
 */
const check = `select from_sql, pg_catalog.pg_advisory_unlock_all() from pg_catalog.pg_prepared_statement()
  where from_sql or name operator(pg_catalog.=) '${nameOf("settings")}'`;

const run = (batch: Outgoing, statement: keyof typeof named) => batch.bind(nameOf(statement), []).execute();

const beginning = run(new Outgoing(), "begin").bytes;

const cleaning = (["reset", "close", "unlisten", "temp", "sequences"] as const).reduce(run, new Outgoing())
  .bind("", []).execute().bytes;
const committing = run(new Outgoing(), "commit").append(cleaning).sync().bytes;

/** Prepares all of ours. */
export function prepareOwn(batch: Outgoing): Outgoing {
  for (const [statement, text] of Object.entries(named)) {
    batch.parse(nameOf(statement as keyof typeof named), text);
  }
  return prepareCheck(batch);
}

/** Prepares the check, which any other unnamed statement and every simple query takes the place of. */
export function prepareCheck(batch: Outgoing): Outgoing {
  return batch.parse("", check);
}

/** Begins a transaction in the name of the user: two results. */
export function beginAs(batch: Outgoing, userId: string, claims: string): Outgoing {
  return batch.append(beginning).bind(nameOf("settings"), [userId, claims]).execute();
}

/** Commits and cleans, with the check at the end, in the same round trip; the check must be the unnamed statement. */
export function commitAndClean(batch: Outgoing): Outgoing {
  return batch.append(committing);
}

/** Cleans what SQL can leave in a session outside transactions, and checks. */
export function cleanAndCheck(batch: Outgoing): Outgoing {
  return batch.append(cleaning).sync();
}

/** Reads what the check said. */
export function saysClean(result: StatementResult | undefined): boolean {
  if (result?.rows !== 1) return false;
  // The first value stands behind the message's head (5), the number of values (2) and its own length (4).
  return result.data[11] === "f".charCodeAt(0);
}
