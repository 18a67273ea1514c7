// Values on their way in: what a JSON body says, as PostgreSQL's text of the column's type. PostgreSQL judges it.

import type { Column } from "../catalogue/mod.ts";

/** The parameter for `value` in `column`; `null` is NULL. */
export function parameterFor(value: unknown, { type }: Pick<Column, "type">): string | null {
  if (value === null || value === undefined) return null;
  if (type === "json" || type === "jsonb") return JSON.stringify(value);
  if (Array.isArray(value) && type.endsWith("[]")) return arrayText(value, type.slice(0, -2));
  if (typeof value === "string") return value;
  return JSON.stringify(value);
}

/** PostgreSQL's text of an array: `{"a",NULL,{"b"}}`. */
export function arrayText(values: readonly unknown[], type: string): string {
  const items = values.map((value) => {
    if (Array.isArray(value) && type !== "json" && type !== "jsonb") return arrayText(value, type);
    const text = parameterFor(value, { type });
    return text === null ? "NULL" : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${items.join(",")}}`;
}
