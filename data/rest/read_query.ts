// A request's query string as a question about one table. Filters must be right; of `select` and `order` what the table
// does not have is left out, as clients expect, unless the caller prefers `handling=strict`.

import { AppError } from "../../core/errors.ts";
import type { Column } from "../catalogue/mod.ts";
import type { ColumnLookup } from "./column_lookup.ts";
import { splitName, splitTerms, unquoted } from "./comma_list.ts";
import { type Condition, ConditionReader } from "./conditions.ts";
import { operatorNames } from "./operators.ts";
import type { Preferences } from "./preferences.ts";

export interface OrderTerm {
  readonly column: Column;
  /** What follows the column in ORDER BY. */
  readonly direction: string;
}

export interface Query {
  /** Empty for all. */
  readonly select: readonly Column[];
  readonly conditions: readonly Condition[];
  readonly order: readonly OrderTerm[];
  readonly limit: number | null;
  readonly offset: number;
}

const words = ["select", "order", "limit", "offset"] as const;
type Word = (typeof words)[number];
const isWord = (key: string): key is Word => (words as readonly string[]).includes(key);

/** @throws {AppError} VALIDATION_INVALID_SCHEMA, naming every filter that cannot be used. */
export function readQuery(params: URLSearchParams, columns: ColumnLookup, prefer: Preferences): Query {
  const given = new Map<Word, string>();
  const reader = new ConditionReader(columns);
  const conditions: Condition[] = [];
  for (const [key, value] of params) {
    if (isWord(key)) {
      if (given.has(key)) throw refused(`"${key}" is given more than once`);
      given.set(key, value);
    } else {
      const condition = reader.read(key, value);
      if (condition !== undefined) conditions.push(condition);
    }
  }
  if (reader.faults.length > 0) {
    throw new AppError(
      "VALIDATION_INVALID_SCHEMA",
      `Cannot filter "${columns.table.name}": ${reader.faults.slice(0, 3).join("; ")}`,
      {
        details: { invalidFilters: reader.faults },
        remediation: `Correct the filters in details.invalidFilters. The operators are ${
          operatorNames.join(", ")
        }.`,
      },
    );
  }
  const ignored: string[] = [];
  const query: Query = {
    select: readSelect(given.get("select"), columns, ignored),
    conditions,
    order: readOrder(given.get("order"), columns, ignored),
    limit: readCount("limit", given.get("limit"), 1, ignored),
    offset: readCount("offset", given.get("offset"), 0, ignored) ?? 0,
  };
  if (prefer.handling === "strict" && ignored.length > 0) {
    throw refused(`it cannot be used: ${ignored.join(", ")}`);
  }
  return query;
}

function readSelect(text: string | undefined, columns: ColumnLookup, ignored: string[]): Column[] {
  const chosen = new Set<Column>();
  for (const term of terms(text)) {
    if (term === "*") return [];
    const column = columns.find(unquoted(term));
    if (column === undefined) ignored.push(`select=${term}`);
    else chosen.add(column);
  }
  return [...chosen];
}

function readOrder(text: string | undefined, columns: ColumnLookup, ignored: string[]): OrderTerm[] {
  return terms(text).flatMap((term) => {
    const { name, rest } = splitName(term);
    const column = columns.find(name);
    const [, direction = "", nulls = ""] = /^(asc|desc)?\.?(nullsfirst|nullslast)?$/.exec(rest ?? "") ?? [];
    if (column === undefined || (rest ?? "") !== [direction, nulls].filter(Boolean).join(".")) {
      ignored.push(`order=${term}`);
    }
    if (column === undefined) return [];
    const sql = `${direction === "desc" ? " desc" : ""}${nulls === "" ? "" : ` nulls ${nulls.slice(5)}`}`;
    return [{ column, direction: sql }];
  });
}

function terms(text = ""): string[] {
  // What is left open is read as it stands.
  return (splitTerms(text) ?? text.split(",")).filter((term) => term !== "");
}

/** The number that the text begins with, if it is at least `least`. */
function readCount(word: Word, text: string | undefined, least: number, ignored: string[]): number | null {
  if (text === undefined) return null;
  const count = Number.parseInt(text, 10);
  if (!/^\d+$/.test(text) || count < least) ignored.push(`${word}=${text}`);
  return count >= least ? Math.min(count, Number.MAX_SAFE_INTEGER) : null;
}

export function refused(why: string): AppError {
  return new AppError("VALIDATION_INVALID_SCHEMA", `The query cannot be used: ${why}`, {
    remediation: "Correct what the message names; docs/rest.md has the whole query language.",
  });
}
