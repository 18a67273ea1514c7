// What the server tells its hosts of the machine that they run on, so that they can confine themselves.

import { type Confinement, confiningCalls, type Filter } from "./host/confinement.ts";
import { hostUser } from "./host_user.ts";
import { libcPath } from "./libc.ts";
import { seccompFilter } from "./seccomp.ts";
import { systemCalls } from "./system_calls.ts";

/** Not in the table: a process that has a filter needs no other. */
const seccomp = { x86_64: 317, aarch64: 277 };
const { arch } = Deno.build;
const filters = new Map<boolean, Filter>();

/** `null` where the machine has no C library that hosts could do it with. */
export function hostConfinement(
  { memoryLimitMb, ipv6 }: { memoryLimitMb: number; ipv6: boolean },
): Confinement | null {
  const libc = libcPath();
  if (libc === null) return null;
  const calls = systemCalls(ipv6);
  const filter = filters.get(ipv6) ?? seccompFilter(calls, arch);
  filters.set(ipv6, filter);
  const numbers = Object.fromEntries(confiningCalls.map((name) => [name, calls[name]?.[arch] ?? -1]));
  return { libc, numbers: { ...numbers, seccomp: seccomp[arch] }, memoryLimitMb, user: hostUser(), filter };
}
