// What a process holds and has used, as the kernel counts it. Only this shows buffers that V8's own limits do not cover.

const pageBytes = 4096;

/** Resident bytes of the process, or `null` when it is gone or the system has no /proc. */
export function residentBytes(pid: number): number | null {
  try {
    const resident = Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[1];
    return Number(resident) * pageBytes;
  } catch {
    return null;
  }
}

/** CPU ms that the process has used, in user and kernel mode; `null` as above. */
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
