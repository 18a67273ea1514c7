// Filters: from the words of the query string to conditions on columns that exist, and on to SQL. Nothing that a caller
// sends gets into the SQL but as a bound parameter.

import type { Column } from "../catalogue/mod.ts";
import { quoteName } from "../sql/quote.ts";
import { tableAlias } from "./columns_json.ts";
import { listValues, splitName, splitTerms, unquoted } from "./comma_list.ts";
import type { ColumnLookup } from "./column_lookup.ts";
import { type Comparison, comparisons, isAnyOf, states } from "./operators.ts";
import { arrayText } from "./values.ts";

export type Condition =
  | { kind: "compare"; negated: boolean; column: Column; comparison: Comparison; parameter: string }
  | { kind: "state"; negated: boolean; column: Column; sql: string }
  | { kind: "group"; negated: boolean; joint: "and" | "or"; parts: readonly Condition[] };

const deepest = 10;

/** Collects the parameters of one statement, in the order of `$1`, `$2` … */
export class Parameters {
  readonly values: (string | null)[] = [];

  /** The place in the SQL that stands for `value`. */
  add(value: string | null): string {
    return `$${this.values.push(value)}`;
  }
}

/** Reads filters, noting in words what is wrong with each one that cannot be used. */
export class ConditionReader {
  readonly faults: string[] = [];
  readonly #columns: ColumnLookup;

  constructor(columns: ColumnLookup) {
    this.#columns = columns;
  }

  /** `column=op.value`, `or=(…)`, `not.and=(…)`; `undefined` once it has noted what is wrong. */
  read(key: string, value: string): Condition | undefined {
    // A column may have one of these names; its filter has no parenthesis.
    const group = /^(not\.)?(and|or)$/.exec(key);
    if (group !== null && value.startsWith("(")) return this.#group(`${key}${value}`, 1);
    return this.#column(key, value, { whole: `${key}=${value}`, quotes: "kept" });
  }

  #group(text: string, depth: number): Condition | undefined {
    const [, not, joint, inner = ""] = /^(not\.)?(and|or)\((.*)\)$/s.exec(text) ?? [];
    const terms = joint === undefined ? null : splitTerms(inner);
    if (terms === null) return this.#fault(text, "a parenthesis or a quote in it is not closed");
    if (depth > deepest) return this.#fault(text, `groups may be ${deepest} deep`);
    const parts = terms.map((term) => this.#term(term, depth)).filter((part) => part !== undefined);
    return { kind: "group", negated: not !== undefined, joint: joint as "and" | "or", parts };
  }

  #term(term: string, depth: number): Condition | undefined {
    if (/^(not\.)?(and|or)\(/.test(term)) return this.#group(term, depth + 1);
    const { name, rest } = splitName(term);
    return this.#column(name, rest ?? "", { whole: term, quotes: "removed" });
  }

  #column(
    name: string,
    text: string,
    { whole, quotes }: { whole: string; quotes: "kept" | "removed" },
  ): Condition | undefined {
    const column = this.#columns.find(name);
    if (column === undefined) return this.#fault(whole, `the table has no column ${shown(name)}`);
    const negated = text.startsWith("not.");
    const [, operator = "", value = ""] = /^([^.]*)\.(.*)$/s.exec(negated ? text.slice(4) : text) ?? [];
    const comparison = comparisons.get(operator);
    if (comparison !== undefined) {
      const parameter = quotes === "removed" ? unquoted(value) : value;
      return { kind: "compare", negated, column, comparison, parameter };
    }
    if (operator === "in") {
      const parameter = arrayText(listValues(value), "text");
      return { kind: "compare", negated, column, comparison: isAnyOf, parameter };
    }
    if (operator === "is") {
      const sql = states.get(value);
      if (sql !== undefined) return { kind: "state", negated, column, sql };
      return this.#fault(whole, `"is" is followed by ${[...states.keys()].join(", ")}`);
    }
    const said = text === "" ? "it has no operator" : `there is no operator ${shown(operator || text)}`;
    return this.#fault(whole, `${said} (write <column>=<operator>.<value>)`);
  }

  #fault(filter: string, why: string): undefined {
    this.faults.push(`${shown(filter)}: ${why}`);
  }
}

/** The conditions, all of which must hold, as SQL; empty without any. */
export function whereSql(conditions: readonly Condition[], parameters: Parameters): string {
  return conditions.length === 0 ? "" : ` where ${joined(conditions, "and", parameters)}`;
}

function joined(conditions: readonly Condition[], joint: "and" | "or", parameters: Parameters): string {
  return conditions.map((condition) => conditionSql(condition, parameters)).join(` ${joint} `);
}

function conditionSql(condition: Condition, parameters: Parameters): string {
  const positive = positiveSql(condition, parameters);
  return condition.negated ? `not (${positive})` : positive;
}

function positiveSql(condition: Condition, parameters: Parameters): string {
  switch (condition.kind) {
    case "group":
      return `(${joined(condition.parts, condition.joint, parameters)})`;
    case "state":
      return `${columnSql(condition.column)} ${condition.sql}`;
    case "compare":
      return condition.comparison(columnSql(condition.column), parameters.add(condition.parameter));
    default:
      return condition satisfies never;
  }
}

export function columnSql({ name }: Column): string {
  return `${tableAlias}.${quoteName(name)}`;
}

function shown(text: string): string {
  return `"${text.length > 100 ? `${text.slice(0, 100)}…` : text}"`;
}
