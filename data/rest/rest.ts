// REST over an app's tables: each request is one statement, as the caller's role, in a transaction of its own. Rows are
// JSON that PostgreSQL made, and pass through as bytes.

import type { App } from "../../apps/app_registry.ts";
import { AppError } from "../../core/errors.ts";
import type { DatabaseIdentity } from "../../core/principal.ts";
import { type AppDatabases, QueryError, type QueryResult, rowValues, type Statement } from "../../db/mod.ts";
import type { Catalogues } from "../catalogue/mod.ts";
import { ColumnLookup } from "./column_lookup.ts";
import { Deadline } from "./deadline.ts";
import { requestFailure } from "./failures.ts";
import type { Preferences } from "./preferences.ts";
import { readQuery, refused } from "./read_query.ts";
import { readRow, readRows } from "./read_rows.ts";
import {
  type AnswerLimits,
  deleteStatement,
  insertStatement,
  type Returning,
  selectStatement,
  updateStatement,
} from "./statements.ts";
import { keyCondition, readConflict, readFilters } from "./targets.ts";

export interface RestLimits extends AnswerLimits {
  /** How long a statement may run. */
  statementMs: number;
}

export interface RestParts {
  databases: AppDatabases;
  catalogues: Catalogues;
  limits: RestLimits;
}

/** Who asks what of which table. */
export interface RestRequest {
  readonly app: App;
  readonly identity: DatabaseIdentity;
  readonly table: string;
  readonly params: URLSearchParams;
  readonly prefer: Preferences;
}

/** What a request came to. */
export interface RestAnswer {
  /** The rows as the bytes of one JSON array; `null` when only their number was asked for. */
  readonly json: Uint8Array<ArrayBuffer> | null;
  /** Rows that were changed, where `json` does not tell. */
  readonly changed: number;
  /** How many rows these are, and how many the filters match, when a count was asked for. */
  readonly counted: { readonly rows: number; readonly total: number } | null;
}

const wholeRows: Returning = { rows: [] };

export class Rest {
  readonly #parts: RestParts;

  constructor(parts: RestParts) {
    this.#parts = parts;
  }

  /** The rows that the query string asks for. */
  async list(request: RestRequest): Promise<RestAnswer> {
    const { params, prefer } = request;
    return await this.#run(request, (columns, limits) => {
      const listing = { ...readQuery(params, columns, prefer), count: prefer.count === "exact" };
      return selectStatement(columns.table, listing, limits);
    });
  }

  /** The row with that primary key. @throws {AppError} RESOURCE_NOT_FOUND when there is none that the caller may see. */
  async read(request: RestRequest, id: string): Promise<RestAnswer> {
    const answer = await this.#run(request, ({ table }, limits) => {
      const listing = {
        select: [],
        conditions: keyCondition(table, id),
        order: [],
        limit: null,
        offset: 0,
        count: false,
      };
      return selectStatement(table, listing, limits);
    });
    return found(answer, request, id);
  }

  /** Inserts one row or several, all or none; with a preferred resolution, an upsert. */
  async insert(request: RestRequest, values: readonly unknown[]): Promise<RestAnswer> {
    const { params, prefer } = request;
    return await this.#run(request, (columns, limits) => {
      const rows = readRows(values, columns, limits.rows);
      const conflict = readConflict(params.get("on_conflict"), columns, prefer);
      if (conflict?.resolution === "merge" && rows.rows.some((row) => row.size < rows.columns.length)) {
        throw refused("rows that are to be merged must all name the same columns");
      }
      const returning = prefer.return === "minimal" ? "nothing" : wholeRows;
      return insertStatement(columns.table, { rows, conflict, returning, limits });
    });
  }

  /** Changes the row with that primary key. @throws {AppError} RESOURCE_NOT_FOUND. */
  async update(request: RestRequest, id: string, value: unknown): Promise<RestAnswer> {
    const returning = request.prefer.return === "minimal" ? "nothing" : wholeRows;
    const answer = await this.#run(request, (columns, limits) => {
      const conditions = keyCondition(columns.table, id);
      return updateStatement(columns.table, readRow(value, columns), { conditions, returning, limits });
    });
    return found(answer, request, id);
  }

  /** Changes every row that the filters match. */
  async updateWhere(request: RestRequest, value: unknown): Promise<RestAnswer> {
    return await this.#run(request, (columns, limits) => {
      const { conditions, select } = readFilters(request, columns);
      const returning = request.prefer.return === "minimal" ? "nothing" : { rows: select };
      return updateStatement(columns.table, readRow(value, columns), { conditions, returning, limits });
    });
  }

  /** Deletes the row with that primary key. @throws {AppError} RESOURCE_NOT_FOUND. */
  async delete(request: RestRequest, id: string): Promise<RestAnswer> {
    const answer = await this.#run(request, ({ table }, limits) => {
      return deleteStatement(table, { conditions: keyCondition(table, id), returning: "nothing", limits });
    });
    return found(answer, request, id);
  }

  /** Deletes every row that the filters match. */
  async deleteWhere(request: RestRequest): Promise<RestAnswer> {
    return await this.#run(request, (columns, limits) => {
      const { conditions, select } = readFilters(request, columns);
      const returning = request.prefer.return === "representation" ? { rows: select } : "nothing";
      return deleteStatement(columns.table, { conditions, returning, limits });
    });
  }

  /**
   * Compiles the request and runs it. The catalogue may be some seconds old: a name that it does not have, or that
   * PostgreSQL no longer has, is looked up once more before the caller is told.
   */
  async #run(
    request: RestRequest,
    compile: (columns: ColumnLookup, limits: AnswerLimits) => Statement,
  ): Promise<RestAnswer> {
    const { databases, catalogues, limits } = this.#parts;
    const { app, identity } = request;
    const known = catalogues.of(app);
    let catalogue = known instanceof Promise ? await known : known;
    for (let last = false;; last = true) {
      const table = catalogue.tables.get(request.table);
      const columns = table && new ColumnLookup(table);
      let statement: Statement | undefined;
      let failure: unknown;
      try {
        statement = columns && compile(columns, limits);
      } catch (error) {
        failure = error;
      }
      if (!last && (columns === undefined || columns.missed)) {
        const fresh = await catalogues.refresh(app);
        if (fresh !== catalogue) {
          catalogue = fresh;
          continue;
        }
      }
      if (table === undefined) throw tableNotFound(request.table);
      if (statement === undefined) throw failure;
      try {
        using deadline = new Deadline(limits.statementMs);
        return answerFrom(await databases.query(app.databaseName, identity, statement, { signal: deadline }));
      } catch (error) {
        const isGone = error instanceof QueryError && ["42P01", "42703"].includes(error.code);
        if (last || !isGone) throw requestFailure(error, { table, identity, statement, limits });
        catalogue = await catalogues.refresh(app, { when: "now" });
      }
    }
  }
}

function answerFrom(result: QueryResult): RestAnswer {
  if (result.columns.length === 0) return { json: null, changed: result.rowCount, counted: null };
  const [json, ...counts] = rowValues(result)[0] as Uint8Array<ArrayBuffer>[];
  const [rows, total] = counts.map((count) => Number(new TextDecoder().decode(count)));
  return {
    json: json as Uint8Array<ArrayBuffer>,
    changed: 0,
    counted: rows === undefined || total === undefined ? null : { rows, total },
  };
}

function found(answer: RestAnswer, { table }: RestRequest, id: string): RestAnswer {
  // An array without a row is `[]`.
  if (answer.json === null ? answer.changed > 0 : answer.json.length > 2) return answer;
  throw new AppError("RESOURCE_NOT_FOUND", `"${table.slice(0, 100)}" has no row "${id.slice(0, 100)}"`, {
    remediation: "Check the id, and that the table's policies show you the row.",
  });
}

function tableNotFound(name: string): AppError {
  return new AppError("VALIDATION_TABLE_NOT_FOUND", `There is no table "${name.slice(0, 100)}"`, {
    status: 404,
    remediation: "Check the name: GET /v1/{app}/schema lists the tables.",
  });
}
