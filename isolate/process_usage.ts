// What a process holds and has used, as the kernel counts it. Only this shows buffers that V8's own limits do not cover.

const pageBytes = 4096;
const decoder = new TextDecoder();
const buffer = new Uint8Array(128);

/** Resident memory of one process, read again and again. */
export class ResidentMemory implements Disposable {
  readonly #statm: Deno.FsFile | null;

  constructor(pid: number) {
    this.#statm = openStatm(pid);
  }

  /** Bytes, or `null` when the process is gone or the system has no /proc. */
  read(): number | null {
    if (this.#statm === null) return null;
    try {
      this.#statm.seekSync(0, Deno.SeekMode.Start);
      const length = this.#statm.readSync(buffer);
      return length === null
        ? null
        : Number(decoder.decode(buffer.subarray(0, length)).split(" ")[1]) * pageBytes;
    } catch {
      return null;
    }
  }

  [Symbol.dispose](): void {
    this.#statm?.close();
  }
}

function openStatm(pid: number): Deno.FsFile | null {
  try {
    return Deno.openSync(`/proc/${pid}/statm`);
  } catch {
    return null;
  }
}

/** CPU ms that the process has used, in user and kernel mode; `null` as for memory. */
export function usedCpuMs(pid: number): number | null {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // utime and stime are fields 14 and 15, in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return null;
  }
}
