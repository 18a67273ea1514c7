// A transaction in an app's database that a caller holds open: OPEN → ENDED. Its statements run one after another; an
// abort, a lost connection or a COMMIT inside the SQL ends it, and every way to the end gives the connection back.

import type { AbortSignalLike } from "./abort_signal.ts";
import type { LeasedSession } from "./leased_session.ts";
import { QueryError } from "./query_error.ts";
import { type QueryResult, queryResult, type Statement } from "./statement.ts";

export interface AppTransaction {
  /** Runs after the statements asked for before it. */
  query(statement: Statement): Promise<QueryResult>;
  /** @throws {QueryError} 40000 when a statement had failed, so that everything was rolled back. */
  commit(): Promise<void>;
  /** Also the way out after a failure; does nothing when the transaction has ended. */
  rollback(): Promise<void>;
}

export interface TransactionParts {
  leased: LeasedSession;
  signal: AbortSignalLike | undefined;
  giveBack: () => void;
  /** Gives a permission error its name; sees errors after they were translated. */
  explainDenied: (error: unknown) => Promise<unknown>;
}

export function holdTransaction(
  { leased, signal, giveBack, explainDenied }: TransactionParts,
): AppTransaction {
  let ended: QueryError | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
  }

  async function step(statement: Statement): Promise<QueryResult> {
    if (signal?.aborted) throw signal.reason;
    if (ended !== undefined) throw ended;
    let failure: unknown;
    try {
      const reply = await leased.session.step(statement);
      if (reply.state === "idle") {
        // The SQL held its own COMMIT or ROLLBACK: what came next would run outside any transaction, as nobody.
        await end("rollback", "The transaction was ended by a COMMIT or ROLLBACK in the SQL");
      }
      if (reply.error === null) return queryResult(reply.results.at(-1));
      failure = reply.error;
    } catch (error) {
      failure = error;
      if (!leased.session.connection.isOpen) await end("rollback", "The connection to the database was lost");
    }
    throw await explainDenied(leased.explain(failure));
  }

  async function end(how: "commit" | "rollback", why: string): Promise<void> {
    if (ended !== undefined) {
      if (how === "commit") throw ended;
      return;
    }
    ended = new QueryError({ code: "25P01", message: why });
    signal?.removeEventListener("abort", onAbort);
    try {
      const reply = await leased.session.end(how);
      if (reply.error !== null) throw reply.error;
      if (how === "commit" && reply.results[0]?.command === "ROLLBACK") {
        throw new QueryError({
          code: "40000",
          message: "The transaction was rolled back: a statement in it had failed",
        });
      }
    } catch (error) {
      // A rollback has nothing to report: a lost connection has rolled back too.
      if (how === "commit") throw await explainDenied(leased.explain(error));
    } finally {
      giveBack();
    }
  }

  const onAbort = () => void inTurn(() => end("rollback", "The transaction was aborted")).catch(() => {});
  signal?.addEventListener("abort", onAbort);

  return {
    query: (statement) => inTurn(() => step(statement)),
    commit: () => inTurn(() => end("commit", "The transaction has been committed")),
    rollback: () => inTurn(() => end("rollback", "The transaction has been rolled back")),
  };
}
