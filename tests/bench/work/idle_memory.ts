// What an idle live version costs: the proportional memory of its host, with 200 of them.

import { judged, type Row } from "../results.ts";
import { median } from "../statistics.ts";
import { openWorld } from "../world.ts";

const count = 200;

export async function idleMemory(): Promise<Row[]> {
  await using world = await openWorld({ BUTTERBASE_MAX_HOSTS: "400", BUTTERBASE_WARM_HOSTS: "0" });
  for (let made = 0; made < count; made++) {
    const url = await world.client.deploy(
      world.app,
      `idle-${made}`,
      `export default () => new Response("${made}")`,
    );
    const text = await (await fetch(url)).text();
    if (text !== String(made)) throw new Error(`The function idle-${made} answered "${text}"`);
  }
  const shares = hostsOf(world.ours.pid).map(proportionalMb);
  if (shares.length < count) throw new Error(`Of ${count} idle versions only ${shares.length} are live`);
  return [judged({
    work: `proportional memory of an idle live version, ${count} of them, MB`,
    ours: median(shares).toFixed(1),
    peer: "",
    value: median(shares),
    unit: "MB",
    bar: { kind: "at most", value: 20, words: "" },
    raw: shares,
  })];
}

function hostsOf(parent: number): number[] {
  const pids: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) !== parent) continue;
      if (command.includes("isolate/host/main.ts")) pids.push(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return pids;
}

function proportionalMb(pid: number): number {
  const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  // What the kernel calls kB has 1024 bytes.
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? NaN) * 1024 / 1e6;
}
