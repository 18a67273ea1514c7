// What the bench found, as a table and as data.

import { type LoadResult, rate } from "./load.ts";
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

/** Throughput beside bare Deno.serve, which does nothing else: half of it is the bar. */
export function besideBare(work: string, raw: { ours: LoadResult[]; bare: LoadResult[] }): Row {
  const [ours, bare] = [rate(raw.ours), rate(raw.bare)];
  return {
    work,
    ours: ours.toFixed(0),
    peer: `bare Deno.serve ${bare.toFixed(0)}`,
    ratio: (ours / bare).toFixed(2),
    bar: "≥ 0.5 ×",
    met: ours / bare >= 0.5,
    raw,
  };
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
