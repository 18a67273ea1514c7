// What an attack needs of the machine. Where it is not there, the attack says nothing, and the doctor tells why.

export type Need = keyof typeof needs;

interface NeedKind {
  /** Whether this machine has it. */
  readonly there: () => boolean;
  readonly why: string;
  readonly remedy: string;
}

export const needs = {
  proc: {
    there: () => exists("/proc/self/status"),
    why: "this system shows no /proc, by which memory of another process is seen",
    remedy: "run the platform on Linux with /proc mounted",
  },
  secondLoopback: {
    there: () => opens("127.0.0.2"),
    why: "nothing can listen on 127.0.0.2",
    remedy: "add the address to the loopback interface: on macOS `ifconfig lo0 alias 127.0.0.2`",
  },
  ipv6: {
    there: () => opens("::1"),
    why: "this machine has no IPv6 loopback, so nothing is reachable that way",
    remedy: "turn IPv6 on for the loopback interface, and run this again",
  },
  seccomp: {
    there: () => exists("/proc/sys/kernel/seccomp/actions_avail"),
    why: "this system's kernel cannot filter system calls, so what Deno's permissions leave open stays open",
    remedy: "run the platform on Linux, on a kernel with seccomp",
  },
} satisfies Record<string, NeedKind>;

/** The first of the attack's needs that this machine does not have. */
export function missing(wanted: readonly Need[] = []): NeedKind | null {
  const name = wanted.find((need) => !needs[need].there());
  return name === undefined ? null : needs[name];
}

function opens(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
