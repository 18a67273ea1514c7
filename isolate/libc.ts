// The C library in the server: how other processes stand in line for the CPUs. Where there is none that Deno can load
// (macOS, Alpine), nothing is set.

const symbols = {
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof symbols>["symbols"];

let loaded: Libc | null | undefined;

/** Loads the library at the first use; `null` where that cannot be. */
function libc(): Libc | null {
  if (loaded !== undefined) return loaded;
  try {
    loaded = Deno.build.os === "linux" ? Deno.dlopen("libc.so.6", symbols).symbols : null;
  } catch {
    loaded = null;
  }
  return loaded;
}

/** Puts every thread of the process behind those with a lower `nice`. Never throws; a process that is gone is no error. */
export function lowerPriority(pid: number, nice = 19): void {
  try {
    // The kernel keeps niceness for each thread: the process's own id would name its first one alone.
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) libc()?.setpriority(0, Number(name), nice);
  } catch {
    // The process is gone, or the system has no /proc.
  }
}

let path: string | null | undefined;

/** The library's own file, `null` where there is none. A permission to load it has to name this. */
export function libcPath(): string | null {
  if (path !== undefined) return path;
  try {
    path = /(\/\S+\/libc\.so\.6)$/m.exec(Deno.readTextFileSync("/proc/self/maps"))?.[1] ?? null;
  } catch {
    path = null;
  }
  return path;
}
