// Where and with what the bench ran.

import { cpus, release, totalmem } from "node:os";
import { packageVersion } from "../../db/embedded/binaries.ts";
import { workerdVersion } from "./peers/workerd.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMib: number;
  readonly system: string;
  readonly versions: { readonly deno: string; readonly workerd: string; readonly postgresql: string };
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown CPU",
    cores: navigator.hardwareConcurrency,
    memoryMib: Math.round(totalmem() / 1024 ** 2),
    system: `${Deno.build.os} ${release()} ${Deno.build.arch}`,
    versions: {
      deno: Deno.version.deno,
      workerd: workerdVersion,
      postgresql: /^\d+\.\d+/.exec(packageVersion)?.[0] ?? packageVersion,
    },
  };
}

export function formatMachine({ cpu, cores, memoryMib, system, versions }: Machine): string {
  const { deno, workerd, postgresql } = versions;
  return `${cpu}, ${cores} cores, ${(memoryMib / 1024).toFixed(0)} GiB, ${system}; ` +
    `Deno ${deno}, workerd ${workerd}, PostgreSQL ${postgresql}`;
}
