// What an attack is: a small program by the author of a function, and what must be seen of it by three: by the attacker
// who calls it, by a neighbour whose function runs beside it, and by the operator who looks from outside.
//
// Of every attack this must be so: each call of the neighbour is answered as always; the server is ready; the log has a row
// that says how the call ended; the process held no more memory than its limit and 64 MiB; when the function is deleted,
// nothing of it runs any more. What differs stands in the attack.

import type { Need } from "./needs.ts";

export type Attack = ReachAttack | SpendAttack;

interface Program {
  /** What the attacker wants. */
  readonly name: string;
  /** The guarantee that holds if it fails, as the operator reads it; several attacks may have the same one. */
  readonly guarantee: string;
  readonly program: string;
  /** Imports and declarations that the program needs, before everything else. */
  readonly imports?: string;
  /** Without these the machine cannot be attacked like that. */
  readonly needs?: readonly Need[];
}

/** Reaches for what is not the function's. It is called and answers; every attempt must have been refused. */
export interface ReachAttack extends Program {
  readonly kind: "reach";
  /** Body of `async (attempt, bait, ctx) => {}`; `attempt(name, run)` notes what `run` gave, or why it was refused. */
  readonly program: string;
  /** Whether the operator must see the kernel's filter on every thread of the process, which holds where Deno cannot. */
  readonly filtered?: boolean;
  /** Judges one attempt; by default only a refusal is good. */
  readonly harmless?: (attempt: string, result: string) => boolean;
}

/** Takes more than its share. */
export interface SpendAttack extends Program {
  readonly kind: "spend";
  /** Body of `async (req, bait, ctx) => Response`. */
  readonly program: string;
  /** Further fields of the deploy. */
  readonly deploy?: { readonly timeoutMs?: number; readonly memoryLimitMb?: number };
  /** What the attacker's call is answered: a status with an error's code, or with a body that matches. */
  readonly attacker: { readonly status: number; readonly code?: string; readonly body?: RegExp };
  readonly operator: {
    /** What the log says of it; `null` where the call did not fail. */
    readonly error: RegExp | null;
    /** The least that the log must say the call used: CPU in ms, memory in MiB. */
    readonly used?: { readonly cpuMs?: number; readonly memoryUsed?: number };
    /** Whether the function's process was ended. */
    readonly process: "gone" | "stays";
  };
}

/** How a function's memory limit is set unless the attack says otherwise. */
export const memoryLimitMb = 128;

/** The function around an attack's program. Its first line of console tells the process, to be looked at from outside. */
export function attackFunction(attack: Attack): string {
  return `import hostProcess from "node:process";
${attack.imports ?? ""}
export default async function handler(req, ctx) {
  console.log("process " + hostProcess.pid);
  const bait = await req.json();
${attack.kind === "reach" ? attempts(attack.program) : attack.program}
}`;
}

function attempts(program: string): string {
  return `
  const found = {};
  // What the check at deploy refuses in the open is tried behind its back.
  const load = new Function("url", "options", "return import(url, options)");
  let refuse = () => {};
  // Some refusals reach no callback.
  for (const type of ["unhandledrejection", "error"]) {
    addEventListener(type, (event) => { event.preventDefault(); refuse(event.reason ?? event.error ?? event); });
  }
  hostProcess.on("uncaughtException", (error) => refuse(error));
  async function attempt(name, run) {
    const { promise, reject } = Promise.withResolvers();
    refuse = reject;
    const timer = setTimeout(() => reject(new Silence()), 2000);
    try {
      const value = await Promise.race([run(), promise]);
      found[name] = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
    } catch (error) {
      found[name] = error instanceof Silence ? "no answer" : "refused: " + (error && error.message || error);
    }
    clearTimeout(timer);
  }
  class Silence {}
  await (async () => {
${program}
  })();
  return Response.json(found);`;
}

/** Judges an attempt that may also find nothing. */
export const empty = (_: string, result: string): boolean =>
  result.startsWith("refused: ") || ["undefined", "{}", "null", "", "false"].includes(result);
