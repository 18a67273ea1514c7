// The C library for the host's main thread, which confines its own process with it. The permission names this one file, so
// there is none to read pointers or take addresses: the library's own functions do that.

/** A number. Deno compiles machine code for each function that answers a plain one, for calls that come often. */
const number = { struct: ["i64"] } as const;

const symbols = {
  syscall: { parameters: ["i64", "usize", "usize", "usize", "usize", "usize"], result: number },
  setgroups: { parameters: ["usize", "usize"], result: number },
  setresgid: { parameters: ["u32", "u32", "u32"], result: number },
  setresuid: { parameters: ["u32", "u32", "u32"], result: number },
  /** Answers its first argument: the address of a buffer, when nothing is to be copied. */
  addressOf: { name: "memcpy", parameters: ["buffer", "buffer", "usize"], result: number },
  copyFrom: { name: "memcpy", parameters: ["buffer", "usize", "usize"], result: number },
  errnoAt: { name: "__errno_location", parameters: [], result: number },
} as const;

/** A call that the kernel refused, with its error's number. */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  constructor(readonly call: string, readonly errno: number) {
    super(`${call} answered error ${errno}`);
  }
}

export type Libc = ReturnType<typeof openLibc>;

/** Loads the library at `path`; `numbers` are those of the system calls that are going to be made. */
export function openLibc(path: string, numbers: Readonly<Record<string, number>>) {
  const { symbols: lib } = Deno.dlopen(path, symbols);
  const view = ({ buffer, byteOffset }: Uint8Array) => new DataView(buffer, byteOffset);

  function checked(call: string, answer: number): number {
    if (answer >= 0) return answer;
    const errno = new Int32Array(1);
    lib.copyFrom(errno, view(lib.errnoAt()).getBigUint64(0, true), 4n);
    throw new SystemCallError(call, errno[0] ?? 0);
  }
  /** Of an `int` the upper half means nothing. */
  const int = (answer: Uint8Array) => view(answer).getInt32(0, true);

  /** Makes a system call; a negative answer is the kernel's refusal. */
  function tryCall(name: string, ...given: (number | bigint)[]): number {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = given;
    const number = BigInt(numbers[name] ?? -1);
    const answer = lib.syscall(number, BigInt(a), BigInt(b), BigInt(c), BigInt(d), BigInt(e));
    return Number(view(answer).getBigInt64(0, true));
  }

  return {
    tryCall,
    /** @throws {SystemCallError} when the kernel refuses. */
    call: (name: string, ...given: (number | bigint)[]): number => checked(name, tryCall(name, ...given)),
    /** The buffer must be kept while the address is used. */
    addressOf: (buffer: Uint8Array<ArrayBuffer>): bigint =>
      view(lib.addressOf(buffer, buffer, 0n)).getBigUint64(0, true),
    /** The text as C has it. */
    text: (text: string) => new TextEncoder().encode(`${text}\0`),
    /**
     * Gives up user, groups and capabilities for good, in every thread.
     * @throws {SystemCallError} when the kernel refuses.
     */
    become(id: number): void {
      checked("setgroups", int(lib.setgroups(0n, 0n)));
      checked("setresgid", int(lib.setresgid(id, id, id)));
      checked("setresuid", int(lib.setresuid(id, id, id)));
    },
  };
}
