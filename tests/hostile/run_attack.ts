// Runs one attack, and tells what the three who look on saw of it that must not be.

import { type Attack, attackFunction, type ReachAttack, type SpendAttack } from "./attack.ts";
import { operatorView } from "./operator.ts";
import type { World } from "./world.ts";

export interface Verdict {
  /** What each saw that must not be; all empty where the guarantee holds. */
  readonly faults: { readonly attacker: string[]; readonly neighbour: string[]; readonly operator: string[] };
  readonly measured: {
    /** From the attacker's call to its answer. */
    readonly answeredMs: number;
    /** From the answer to the end of the process, where it had to end. */
    readonly goneMs: number | null;
    /** The most that the process held beyond what an idle one holds. */
    readonly memoryMib: number | null;
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export async function runAttack(world: World, attack: Attack): Promise<Verdict> {
  const { platform, bait, neighbour } = world;
  const app = await platform.createApp();
  const fields = attack.kind === "spend" ? attack.deploy ?? {} : { timeoutMs: 120_000 };
  const url = await platform.deploy(app, "attack", attackFunction(attack), fields);
  const before = { visits: bait.visits(), calls: neighbour.calls(), faults: neighbour.faults.length };

  const began = performance.now();
  const told = { ...bait.told, neighbour: { app: neighbour.app } };
  const response = await fetch(url, { method: "POST", body: JSON.stringify(told) });
  const answer = { status: response.status, text: await readAll(response) };
  const answeredAt = performance.now();
  const answeredMs = answeredAt - began;

  const attacker = attack.kind === "reach" ? reached(attack, answer) : spent(attack, answer);
  if (answer.text.includes(neighbour.secret)) attacker.push("the attacker has the neighbour's secret");
  const visits = bait.visits() - before.visits;
  if (visits > 0) attacker.push(`the bait was visited ${visits} times`);

  const id = response.headers.get("x-request-id") ?? "";
  const operator = await operatorView(world, attack, { app, id, status: answer.status });
  await untilCalled(world, before.calls + 2);
  const { goneAt, memoryMib } = operator;
  return {
    faults: { attacker, neighbour: neighbour.faults.slice(before.faults), operator: operator.faults },
    measured: { answeredMs, goneMs: goneAt === null ? null : Math.max(0, goneAt - answeredAt), memoryMib },
  };
}

/** The body; where it breaks off, that is its end. */
async function readAll({ body }: Response): Promise<string> {
  let text = "";
  try {
    for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) text += part;
    return text;
  } catch {
    return `${text} broken off`;
  }
}

/** Attempts that were not refused, each with what it got. */
function reached({ harmless = isRefused }: ReachAttack, { status, text }: Answer): string[] {
  if (status !== 200) return [`the attack did not run: ${status} ${text.slice(0, 300)}`];
  return Object.entries(JSON.parse(text) as Record<string, string>)
    .filter(([attempt, result]) => !harmless(attempt, result))
    .map(([attempt, result]) => `${attempt}: ${result.slice(0, 200)}`);
}

const isRefused = (_: string, result: string) => result.startsWith("refused: ");

function spent({ attacker: { status, code, body } }: SpendAttack, answer: Answer): string[] {
  const answered = `${answer.status} ${answer.text.slice(0, 300)}`;
  const isRight = answer.status === status && (body?.test(answer.text) ?? true) &&
    (code === undefined || answer.text.includes(`"code":"${code}"`));
  return isRight ? [] : [`the call was answered ${answered}`];
}

/** Lets the neighbour call a little longer than the attack lasts. */
async function untilCalled({ neighbour }: World, calls: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (neighbour.calls() < calls) {
    if (performance.now() > deadline) throw new Error("The neighbour waits for an answer for 30 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
