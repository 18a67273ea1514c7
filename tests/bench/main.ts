// `deno task bench`: our server beside its peers, in one run, medians of five. Writes docs/bench/results.json and prints
// a table. `deno task bench hello` runs the measurements whose name begins with "hello".

import { benchmarks } from "./benchmarks.ts";
import { type Row, writeResults } from "./results.ts";

const wanted = Deno.args[0] ?? "";
const rows: Row[] = [];
for (const { name, run } of benchmarks) {
  if (!name.startsWith(wanted)) continue;
  console.error(`… ${name}`);
  for (const row of await run()) {
    rows.push(row);
    const verdict = row.bar === null ? "" : row.met ? "met" : "MISSED";
    console.log(
      `${row.work.padEnd(58)} ${row.ours.padStart(16)} ${row.peer.padStart(26)} ${
        row.ratio.padStart(8)
      } ${verdict}`,
    );
  }
}
if (wanted === "") await writeResults(rows);
