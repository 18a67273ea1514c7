// The wall behind the memory watch: the kernel refuses a host's process more than its share at once, where a look every
// few ms would come too late. RLIMIT_DATA counts buffers, WASM memory and heap alike, by address space; what V8 reserves
// at its start is counted too, so the limit stands above what the empty process has.

import type { Logger } from "../core/log.ts";

/** What a process may take beyond its function's limit before the kernel says no, in bytes. */
const slackBytes = 64 * 1024 * 1024;

let missing = false;

/** Sets the limit on the running, still empty process. Without `prlimit` (util-linux) the watch stands alone. */
export async function limitData(pid: number, memoryLimitMb: number, log: Logger): Promise<void> {
  const used = dataBytes(pid);
  if (used === null || missing) return;
  const limit = used + memoryLimitMb * 1024 * 1024 + slackBytes;
  try {
    const { success, stderr } = await new Deno.Command("prlimit", {
      args: ["--pid", String(pid), `--data=${limit}:${limit}`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      log.warn("A memory limit could not be set", { pid, said: new TextDecoder().decode(stderr) });
    }
  } catch (error) {
    missing = true;
    log.warn("prlimit is not installed: memory is limited by watching alone", { error });
  }
}

/** Private memory that the process has mapped to write to, by the kernel's count; `null` where there is no /proc. */
function dataBytes(pid: number): number | null {
  try {
    const data = /^VmData:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
    return data === null ? null : Number(data[1]) * 1024;
  } catch {
    return null;
  }
}

/** Whether what a function threw is the platform's refusal of memory, and no error of its own. */
export function isAllocationFailure({ name, message }: { name: string; message: string }): boolean {
  return name === "RangeError" &&
    /^(Array buffer allocation failed|WebAssembly\.Memory(\.grow)?\(\): (could not allocate|Unable to grow|failed to grow).*)/i
      .test(message);
}
