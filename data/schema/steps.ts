// What planning finds: steps in phases, so that nothing is used before it is made and nothing is dropped while it is used.

import type { Issue } from "./document.ts";

const phases = ["unbind", "drop", "create", "columns", "keys", "indexes", "references", "access"] as const;
export type Phase = (typeof phases)[number];

export interface Step {
  readonly sql: string;
  readonly description: string;
  /** Whether rows, values or rules are lost. */
  readonly destructive: boolean;
  readonly phase: number;
  readonly table: string;
  readonly column?: string;
}

export type NewStep = Omit<Step, "phase" | "destructive"> & { destructive?: boolean };

export interface Findings {
  readonly steps: Step[];
  readonly refused: string[];
  readonly issues: Issue[];
  readonly warnings: string[];
  /** What is there and the document does not speak of. */
  readonly leftAlone: string[];
  step(phase: Phase, step: NewStep): void;
  issue(path: Issue["path"], message: string): void;
}

export function newFindings(): Findings {
  const steps: Step[] = [];
  const issues: Issue[] = [];
  return {
    steps,
    issues,
    refused: [],
    warnings: [],
    leftAlone: [],
    step: (phase, step) => void steps.push({ destructive: false, ...step, phase: phases.indexOf(phase) }),
    issue: (path, message) => void issues.push({ code: "invalid", path, message }),
  };
}
