// Values on their way out: PostgreSQL makes the JSON, so that rows reach the client as the bytes that it sent. Where its own
// JSON is not what the API promises (docs/rest.md, "Values"), an expression around the column makes it so.

import type { Column, Table } from "../catalogue/mod.ts";
import { quoteName } from "../sql/quote.ts";

type Render = (value: string) => string;

const asIs: Render = (value) => value;
const asText: Render = (value) => `${value}::text`;
/** JSON has no NaN and no infinity. */
const asFinite: Render = (value) => `nullif(nullif(nullif(${value}, 'NaN'), 'Infinity'), '-Infinity')`;
/** ISO 8601 in UTC to the millisecond; what that cannot say (infinity, before year 1) in PostgreSQL's own words. */
const asTime = (format: string, atUtc = ""): Render => (value) =>
  `case when ${value} >= '0001-01-01' and ${value} < '10000-01-01'
    then to_char(${value}${atUtc}, '${format}') else ${value}::text end`;
const asInterval: Render = (value) => {
  const whole = (part: string) => `'${part}s', nullif(extract(${part} from ${value})::int8, 0)`;
  const seconds = `extract(second from ${value})`;
  return `case when isfinite(${value}) then json_strip_nulls(json_build_object(
    ${["year", "month", "day", "hour", "minute"].map(whole).join(", ")},
    'seconds', nullif(trunc(${seconds})::int8, 0),
    'milliseconds', nullif(trim_scale((${seconds} - trunc(${seconds})) * 1000), 0)))
    else to_json(${value}::text) end`;
};
/** The same for each element; an array of arrays stays in PostgreSQL's own JSON. */
const eachAs = (render: Render): Render => (value) =>
  `case when array_ndims(${value}) > 1 then to_json(${value}) when ${value} is not null then (
    select coalesce(json_agg(${
    render("item")
  } order by at), '[]') from unnest(${value}) with ordinality as items(item, at)
  ) end`;

const timestamp = asTime('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
const timestamptz = asTime('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"', " at time zone 'UTC'");
const date = asTime('YYYY-MM-DD"T00:00:00.000Z"');

/** By type, without length or precision. */
const renders: ReadonlyMap<string, Render> = new Map([
  ...[
    "boolean",
    "smallint",
    "integer",
    "text",
    "character varying",
    "character",
    "uuid",
    "json",
    "jsonb",
    "bytea",
  ]
    .flatMap((type) => [[type, asIs], [`${type}[]`, asIs]] as [string, Render][]),
  ["numeric[]", asIs],
  ["real[]", asIs],
  ["double precision[]", asIs],
  ["bigint[]", (value) => `${value}::text[]`],
  ["oid", (value) => `${value}::int8`],
  ["real", asFinite],
  ["double precision", asFinite],
  ["timestamp without time zone", timestamp],
  ["timestamp without time zone[]", eachAs(timestamp)],
  ["timestamp with time zone", timestamptz],
  ["timestamp with time zone[]", eachAs(timestamptz)],
  ["date", date],
  ["date[]", eachAs(date)],
  ["interval", asInterval],
  ["interval[]", eachAs(asInterval)],
]);

/** The name that every statement gives the table. */
export const tableAlias = "t";

/** The column's value as the API shows it, for a SELECT or RETURNING list. */
function renderColumn({ name, type }: Column): string {
  const value = `${tableAlias}.${quoteName(name)}`;
  const bare = type.replace(/\(\d+(,-?\d+)?\)/, "");
  const render = renders.get(bare) ?? (type.endsWith("[]") ? (each: string) => `${each}::text[]` : asText);
  const rendered = render(value);
  return rendered === value ? value : `${rendered} as ${quoteName(name)}`;
}

const whole = new WeakMap<Table, string>();

/** The columns as the API shows them; all of the table's when none is named. */
export function renderColumns(table: Table, columns: readonly Column[]): string {
  if (columns.length > 0) return columns.map(renderColumn).join(", ");
  let list = whole.get(table);
  if (list === undefined) {
    list = [...table.columns.values()].map(renderColumn).join(", ");
    whole.set(table, list);
  }
  return list;
}
