// What the bench finds: a row for each measurement, with every run that its figures come from, and where it ran.

import { fromFileUrl } from "./paths.ts";
import type { LoadResult } from "./load.ts";
import { rate } from "./load.ts";
import type { Machine } from "./machine.ts";

export interface Bar {
  readonly kind: "at least" | "at most";
  readonly value: number;
  /** What else belongs to it, in words: what the ratio is to, or what must not happen. */
  readonly words: string;
}

export interface Row {
  /** What was measured. */
  readonly work: string;
  readonly ours: string;
  /** The peer's figure in the same run, with its name; empty where there is no peer. */
  readonly peer: string;
  /** What is held against the bar: ours to the peer's, or a figure by itself. */
  readonly value: number;
  readonly unit: "×" | "MB";
  readonly bar: Bar;
  readonly met: boolean;
  /** Every run. */
  readonly raw: unknown;
}

export interface Results {
  /** Day of the measurement. */
  readonly date: string;
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

/** The row, judged: its bar is met when the value is on the right side of it and no call failed. */
export function judged(row: Omit<Row, "met">, failed = 0): Row {
  const { bar, value } = row;
  const reached = bar.kind === "at least" ? value >= bar.value : value <= bar.value;
  return { ...row, met: reached && failed === 0 };
}

/** Throughput beside bare Deno.serve, which does nothing else: half of it is the bar. */
export function besideBare(work: string, raw: { ours: LoadResult[]; bare: LoadResult[] }): Row {
  const [ours, bare] = [rate(raw.ours), rate(raw.bare)];
  return judged({
    work,
    ours: ours.toFixed(0),
    peer: `bare Deno.serve ${bare.toFixed(0)}`,
    value: ours / bare,
    unit: "×",
    bar: { kind: "at least", value: 0.5, words: "bare Deno.serve" },
    raw,
  });
}

/** `1.02 ×`, as precise as its size asks for. */
export function formatValue({ value, unit }: Row): string {
  return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${unit}`;
}

/** `≥ 1.5 × workerd` */
export function formatBar({ bar: { kind, value, words }, unit }: Row): string {
  return `${kind === "at least" ? "≥" : "≤"} ${value} ${unit} ${words}`.trim();
}

const path = fromFileUrl("../../docs/bench/results.json");

export async function readResults(): Promise<Results> {
  return JSON.parse(await Deno.readTextFile(path));
}

export async function writeResults(results: Results): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(results, null, 2)}\n`);
}
