// `deno task bench`: our server beside its peers, in one run, medians of five. Prints a table, and writes the results
// and the pages made from them. `deno task bench hello` runs the measurements whose name begins with "hello", and writes
// nothing.

import { benchmarks } from "./benchmarks.ts";
import { writePages } from "../tools/pages.ts";
import { thisMachine } from "./machine.ts";
import { formatBar, formatValue, type Row, writeResults } from "./results.ts";

const wanted = Deno.args[0] ?? "";
const rows: Row[] = [];
for (const { name, run } of benchmarks) {
  if (!name.startsWith(wanted)) continue;
  console.error(`… ${name}`);
  for (const row of await run()) {
    rows.push(row);
    console.log(
      `${row.work.padEnd(62)} ${row.ours.padStart(16)} ${row.peer.padStart(32)} ` +
        `${formatValue(row).padStart(8)}  ${formatBar(row)}: ${row.met ? "met" : "MISSED"}`,
    );
  }
}
if (rows.length === 0) {
  throw new Error(`No measurement begins with "${wanted}": ${benchmarks.map(({ name }) => name).join(", ")}`);
}
if (wanted === "") {
  await writeResults({ date: new Date().toISOString().slice(0, 10), machine: thisMachine(), rows });
  await writePages();
}
