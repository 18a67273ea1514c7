// The kernel's line of defence around user code, for the day that Deno's own permissions or V8 fail: the host's main thread
// takes from its whole process, itself included, what no function needs. It cannot be taken back.

import { type Libc, openLibc } from "./libc.ts";
import { limitSelf } from "./limits.ts";

/** A program of `struct sock_filter`. */
export interface Filter {
  /** Its bytes, in base64. */
  program: string;
  /** Where in them the process's own id belongs. */
  pidAt: number[];
}

/** What the server tells its hosts; they know nothing of the machine themselves. */
export interface Confinement {
  /** The C library's file. */
  libc: string;
  /** Numbers of the system calls that are made here. */
  numbers: Record<string, number>;
  memoryLimitMb: number;
  /** User and group to become; `null` to stay who it is. */
  user: number | null;
  filter: Filter;
}

/** The calls whose numbers a host needs. */
export const confiningCalls = [
  "close",
  "dup3",
  "fcntl",
  "getuid",
  "lseek",
  "openat",
  "prctl",
  "prlimit64",
  "read",
  "readlinkat",
] as const;

const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const F_GETFL = 3;
const accessMode = 3;
const SEEK_CUR = 1;
const O_CLOEXEC = 0o2000000;
/** Descriptors looked at for files that are open to write: an empty host has some thirty. */
const lastDescriptor = 48;

/** Confines the process. What could not be done, each as a sentence's end; nothing where all holds. */
export function confine(given: Confinement | null): string[] {
  if (given === null) return ["the kernel does not confine it: this is not Linux with glibc"];
  const { libc: path, numbers, memoryLimitMb, user, filter } = given;
  const missing: string[] = [];
  const attempt = (what: string, run: () => void) => {
    try {
      run();
    } catch (error) {
      missing.push(`${what}: ${error instanceof Error ? error.message : error}`);
    }
  };
  attempt("the kernel does not confine it", () => {
    const libc = openLibc(path, numbers);
    Deno.permissions.revokeSync({ name: "ffi", path });
    attempt("its caches stay open to write", () => closeWriters(libc));
    attempt("memory is limited by watching alone", () => limitSelf(libc, memoryLimitMb));
    attempt("it stays root", () => {
      if (user !== null) libc.become(user);
      else if (libc.call("getuid") === 0) throw new Error("the server may not end other users' processes");
    });
    attempt("system calls are not filtered", () => install(libc, filter));
  });
  return missing;
}

function install(libc: Libc, { program, pidAt }: Filter): void {
  const instructions = Uint8Array.fromBase64(program);
  const view = new DataView(instructions.buffer);
  for (const at of pidAt) view.setUint32(at, Deno.pid, true);
  // struct sock_fprog: the count of instructions, then their address.
  const head = new BigUint64Array([BigInt(instructions.length / 8), libc.addressOf(instructions)]);
  libc.call("prctl", PR_SET_NO_NEW_PRIVS, 1);
  const left = libc.call(
    "seccomp",
    SECCOMP_SET_MODE_FILTER,
    SECCOMP_FILTER_FLAG_TSYNC,
    libc.addressOf(new Uint8Array(head.buffer)),
  );
  if (left !== 0) throw new Error(`thread ${left} has a filter of its own`);
}

/**
 * Deno keeps its caches open, and all hosts share them: the next would believe what one wrote there. They are put in
 * place again for reading. The files of their locks stay: SQLite waits seconds for a lock that it does not get, where a
 * write that fails is only a cache that forgets.
 */
function closeWriters(libc: Libc): void {
  const target = new Uint8Array(4096);
  for (let descriptor = 3; descriptor < lastDescriptor; descriptor++) {
    const flags = libc.tryCall("fcntl", descriptor, F_GETFL);
    // Sockets and pipes have no place to seek to.
    if (flags < 0 || (flags & accessMode) === 0 || libc.tryCall("lseek", descriptor, 0, SEEK_CUR) < 0) {
      continue;
    }
    const path = libc.text(`/proc/self/fd/${descriptor}`);
    const length = libc.tryCall(
      "readlinkat",
      0,
      libc.addressOf(path),
      libc.addressOf(target),
      target.length,
    );
    if (new TextDecoder().decode(target.subarray(0, Math.max(0, length))).endsWith("-shm")) continue;
    const reader = libc.tryCall("openat", 0, libc.addressOf(path), O_CLOEXEC);
    // What cannot be opened again is none of a file system's files.
    if (reader < 0) continue;
    libc.call("dup3", reader, descriptor, O_CLOEXEC);
    libc.call("close", reader);
  }
}
