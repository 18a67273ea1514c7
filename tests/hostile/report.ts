// What the doctor says: each guarantee once, with whether it holds on this machine, and why not or why nobody knows.

import type { Attack } from "./attack.ts";
import type { Verdict } from "./run_attack.ts";

export interface Finding {
  readonly attack: Attack;
  /** How the attack ended; or why it could not be tried here, and what helps. */
  readonly outcome:
    | { readonly kind: "tried"; readonly verdict: Verdict }
    | { readonly kind: "untried"; readonly why: string; readonly remedy: string };
}

/** What the guarantee of time promises beyond a function's deadline. */
export const promisedMs = { answer: 250, end: 1000 };

export interface Report {
  readonly lines: readonly string[];
  /** Whether no guarantee was seen to fail. */
  readonly holds: boolean;
}

export function report(findings: readonly Finding[]): Report {
  const groups = Map.groupBy(findings, ({ attack }) => attack.guarantee);
  const lines: string[] = [];
  let failed = 0;
  let unknown = 0;
  for (const [guarantee, group] of groups) {
    const faults = group.flatMap(faultsOf);
    const untried = group.flatMap(({ attack, outcome }) =>
      outcome.kind === "untried" ? [`${attack.name}: ${outcome.why}; ${outcome.remedy}`] : []
    );
    if (faults.length > 0) failed++;
    else if (untried.length > 0) unknown++;
    const word = faults.length > 0 ? "DOES NOT HOLD" : untried.length > 0 ? "cannot be tested here" : "holds";
    lines.push(`${word.padEnd(23)}${guarantee}`);
    for (const line of [...faults, ...untried]) lines.push(`${" ".repeat(23)}  ${line}`);
  }
  lines.push("", conclusion({ all: groups.size, failed, unknown }));
  return { lines, holds: failed === 0 };
}

function conclusion({ all, failed, unknown }: { all: number; failed: number; unknown: number }): string {
  if (failed > 0) {
    return `${failed} of ${all} guarantees do not hold on this machine: do not run code of strangers on it.`;
  }
  if (unknown > 0) {
    return `${all - unknown} of ${all} guarantees hold on this machine; of ${unknown} nobody knows.`;
  }
  return `All ${all} guarantees hold on this machine.`;
}

function faultsOf({ attack, outcome }: Finding): string[] {
  if (outcome.kind === "untried") return [];
  const { faults } = outcome.verdict;
  const seen = Object.entries(faults).flatMap(([who, what]) => what.map((fault) => `the ${who}: ${fault}`));
  return [...seen, ...lateness(attack, outcome.verdict)].map((fault) => `${attack.name}: ${fault}`);
}

/** What came later than promised. Of the doctor alone: a test's machine may be busy with other things. */
function lateness(attack: Attack, { measured: { answeredMs, goneMs } }: Verdict): string[] {
  const timeoutMs = attack.kind === "spend" ? attack.deploy?.timeoutMs : undefined;
  if (timeoutMs === undefined) return [];
  const late = answeredMs - timeoutMs;
  const gone = late + (goneMs ?? 0);
  return [
    ...(late > promisedMs.answer ? [`the answer came ${late.toFixed(0)} ms after the deadline`] : []),
    ...(gone > promisedMs.end ? [`the process ended ${gone.toFixed(0)} ms after the deadline`] : []),
  ];
}

/** One line while the doctor works. */
export function progress({ attack, outcome }: Finding): string {
  if (outcome.kind === "untried") return `${attack.name}: cannot be tried here`;
  const { answeredMs, goneMs, memoryMib } = outcome.verdict.measured;
  const figures = [
    `answered after ${answeredMs.toFixed(0)} ms`,
    ...(goneMs === null ? [] : [`process gone ${goneMs.toFixed(0)} ms later`]),
    ...(memoryMib === null ? [] : [`at most ${Math.max(0, memoryMib).toFixed(0)} MiB`]),
  ];
  return `${attack.name}: ${faultsOf({ attack, outcome }).length === 0 ? "held" : "GOT THROUGH"} (${
    figures.join(", ")
  })`;
}
