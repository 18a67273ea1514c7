// The bench's results in Markdown, for docs/bench/README.md and README.md.

import { formatMachine } from "./machine.ts";
import { formatBar, formatValue, type Results } from "./results.ts";

/** Every row with its figures. */
export function fullTable({ date, machine, rows }: Results): string {
  return [
    `Measured on ${date}: ${formatMachine(machine)}.`,
    "",
    "| Work | Ours | Peer, same run | Value | Bar | |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) =>
      `| ${row.work} | ${row.ours} | ${row.peer || "–"} | ${formatValue(row)} | ${formatBar(row)} | ${
        row.met ? "met" : "**missed**"
      } |`
    ),
  ].join("\n");
}

/** What a reader wants first. */
export function shortTable({ date, machine, rows }: Results): string {
  const met = rows.filter((row) => row.met).length;
  return [
    `${met} of ${rows.length} bars are met, as of ${date} on ${formatMachine(machine)}:`,
    "",
    "| Work | Ours, beside the peer's | Bar | |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) =>
      `| ${row.work} | ${formatValue(row)} | ${formatBar(row)} | ${row.met ? "met" : "missed"} |`
    ),
  ].join("\n");
}
