// What a filter may ask of a column, as data. A parameter has no type of its own: PostgreSQL gives it the column's.

/** SQL for a comparison of the column with the parameter. */
export type Comparison = (column: string, parameter: string) => string;

const infix = (sql: string): Comparison => (column, parameter) => `${column} ${sql} ${parameter}`;

export const isEqual: Comparison = infix("=");

/** Operators whose value is one text, bound as it is. */
export const comparisons: ReadonlyMap<string, Comparison> = new Map([
  ["eq", isEqual],
  ["neq", infix("<>")],
  ["gt", infix(">")],
  ["gte", infix(">=")],
  ["lt", infix("<")],
  ["lte", infix("<=")],
  ["like", infix("like")],
  ["ilike", infix("ilike")],
  ["isdistinct", infix("is distinct from")],
  ["cs", infix("@>")],
  ["cd", infix("<@")],
  ["ov", infix("&&")],
  [
    "fts",
    (column, parameter) => `to_tsvector('english', ${column}) @@ plainto_tsquery('english', ${parameter})`,
  ],
]);

/** `in`: the parameter is an array, however long the list. */
export const isAnyOf: Comparison = (column, parameter) => `${column} = any(${parameter})`;

/** What `is` may be followed by. */
export const states: ReadonlyMap<string, string> = new Map([
  ["null", "is null"],
  ["true", "is true"],
  ["false", "is false"],
]);

/** Every word that may stand between a column and its value. */
export const operatorNames: readonly string[] = [...comparisons.keys(), "in", "is"];
