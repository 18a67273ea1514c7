// Follows the log of one function. A row is stored when its run has ended, by any node and not in the order of anything:
// each look goes back a little, and what was told before is left out.

import type { FunctionId } from "../core/ids.ts";
import type { Sql } from "../db/mod.ts";
import { listEndedInvocations, type LoggedInvocation } from "../db/queries/invocations.ts";

/** Longest that a node takes to store a row, more or less. */
const storingMs = 10_000;

export interface LogTailParts {
  sql: Sql;
  functionId: FunctionId;
  /** Runs that began after it are told; `null`: those that end from now on. */
  since: Date | null;
  now: number;
  /** Longest that a run of the function takes: what lasted longer may be left out. */
  longestRunMs: number;
  errorsOnly: boolean;
}

export class LogTail {
  readonly #parts: LogTailParts;
  readonly #from: number;
  /** Rows told already that a look may find again, with the end of each. */
  readonly #told = new Map<string, number>();
  #latest: number;

  constructor(parts: LogTailParts) {
    this.#parts = parts;
    this.#from = parts.since?.getTime() ?? parts.now;
    this.#latest = this.#from;
  }

  /** What was stored since the last look, a hundred rows at most. */
  async next(): Promise<LoggedInvocation[]> {
    const { sql, functionId, since, longestRunMs, errorsOnly } = this.#parts;
    const endedAfter = Math.max(this.#from, this.#latest - storingMs);
    const rows = await listEndedInvocations(sql, {
      functionId,
      startedAfter: new Date(Math.max(since?.getTime() ?? 0, endedAfter - longestRunMs)),
      endedAfter: new Date(endedAfter),
      except: [...this.#told.keys()],
      errorsOnly,
      limit: 100,
    });
    for (const { id, completed_at } of rows) {
      this.#told.set(id, completed_at.getTime());
      this.#latest = Math.max(this.#latest, completed_at.getTime());
    }
    for (const [id, at] of this.#told) if (at <= this.#latest - storingMs) this.#told.delete(id);
    return rows;
  }
}
