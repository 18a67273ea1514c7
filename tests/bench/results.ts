// What the bench found, as a table and as data.

import { fromFileUrl } from "./paths.ts";

export interface Row {
  /** What was measured. */
  work: string;
  ours: string;
  /** The peer's figure in the same run, with its name. */
  peer: string;
  /** Ours to the peer's. */
  ratio: string;
  /** What the ratio should be, in words; `null` where there is no bar. */
  bar: string | null;
  met: boolean;
  raw: unknown;
}

export async function writeResults(rows: readonly Row[]): Promise<void> {
  const folder = fromFileUrl("../../docs/bench");
  await Deno.mkdir(folder, { recursive: true });
  const machine =
    `${navigator.hardwareConcurrency} cores, ${Deno.build.os} ${Deno.build.arch}, Deno ${Deno.version.deno}`;
  const measured = { date: new Date().toISOString().slice(0, 10), machine, rows };
  await Deno.writeTextFile(`${folder}/results.json`, `${JSON.stringify(measured, null, 2)}\n`);
  const lines = rows.map(({ work, ours, peer, ratio, bar, met }) =>
    `| ${work} | ${ours} | ${peer} | ${ratio} | ${
      bar === null ? "–" : `${bar}: ${met ? "met" : "**missed**"}`
    } |`
  );
  await Deno.writeTextFile(
    `${folder}/README.md`,
    [
      "# Figures",
      "",
      `<!-- Written by \`deno task bench\`. -->`,
      "",
      `Measured on ${measured.date}: ${machine}. Each figure is the median of five runs that alternate with the peer's.`,
      "",
      "| Work | Ours | Peer, same run | Ratio | Bar |",
      "| --- | --- | --- | --- | --- |",
      ...lines,
      "",
    ].join("\n"),
  );
}
