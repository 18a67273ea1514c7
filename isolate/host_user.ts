// Whom the hosts of a server that runs as root become, so that user code is no root even if every other wall falls.

/** Owns nothing; the embedded database belongs to `nobody`, so hosts must not be that. */
const unusedId = 65_533;

/** CAP_KILL, CAP_SETGID and CAP_SETUID: without the first, the server could not end a host of another user. */
const needed = 1n << 5n | 1n << 6n | 1n << 7n;

/** User and group for the hosts; `null` where they stay what the server is. */
export function hostUser(): number | null {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return null;
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) & needed) === needed ? unusedId : null;
}
