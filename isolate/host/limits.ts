// What the kernel gives a host's process of the machine, at most. For memory it is the wall behind the server's watch, where
// a look every few ms would come too late: RLIMIT_DATA counts buffers, WASM memory and heap alike, by address space; what
// V8 reserves at its start is counted too, so the limit stands above what the empty process has.

import type { Libc } from "./libc.ts";

const RLIMIT_DATA = 2;
const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;

/** What a process may take beyond its function's limit before the kernel says no, in bytes. */
const slackBytes = 64 * 1024 * 1024;
/** An empty host has some thirty; the rest is for sockets. */
const openFiles = 1024;

/** Sets the limits of the own, still empty process; they can only be lowered afterwards. */
export function limitSelf(libc: Libc, memoryLimitMb: number): void {
  const limits: [resource: number, most: number][] = [
    [RLIMIT_DATA, dataBytes(libc) + memoryLimitMb * 1024 * 1024 + slackBytes],
    // A core file would hold what the function knew.
    [RLIMIT_CORE, 0],
    [RLIMIT_NOFILE, openFiles],
  ];
  for (const [resource, most] of limits) {
    const limit = new Uint8Array(new BigUint64Array([BigInt(most), BigInt(most)]).buffer);
    libc.call("prlimit64", 0, resource, libc.addressOf(limit), 0);
  }
}

/** Private memory that the process has mapped to write to, by the kernel's count. */
function dataBytes(libc: Libc): number {
  const status = new Uint8Array(4096);
  const file = libc.call("openat", 0, libc.addressOf(libc.text("/proc/self/status")), 0);
  const length = libc.call("read", file, libc.addressOf(status), status.length);
  libc.call("close", file);
  const data = /^VmData:\s+(\d+) kB$/m.exec(new TextDecoder().decode(status.subarray(0, length)));
  if (data === null) throw new Error("/proc/self/status has no VmData");
  return Number(data[1]) * 1024;
}
