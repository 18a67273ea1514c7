// What the attacks run in: one platform, bait on its machine, and a neighbour who minds his own business.

import { startTestPlatform, type TestPlatform } from "../harness/platform.ts";
import { allowedAddress, type Bait, layBait } from "./bait.ts";
import { type Neighbour, settleNeighbour } from "./neighbour.ts";
import { type ProcessWatch, watchProcesses } from "./process_watch.ts";

export interface World extends AsyncDisposable {
  readonly platform: TestPlatform;
  readonly bait: Bait;
  readonly neighbour: Neighbour;
  readonly processes: ProcessWatch;
  /** What the process of a function holds that does nothing, in MiB. */
  readonly idleMib: number;
}

/** Starts it; `settings` are the operator's, by their environment names. */
export async function openWorld(settings: Record<string, string> = {}): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const platform = opened.use(
    await startTestPlatform({
      BUTTERBASE_EGRESS_ALLOW: allowedAddress,
      // As little as makes an endless answer a short one.
      BUTTERBASE_MAX_RESPONSE_BYTES: String(16 * 1024 * 1024),
      ...settings,
    }),
  );
  const bait = opened.use(await layBait());
  const { isolates } = platform.platform;
  const processes = opened.use(watchProcesses(() => isolates.pids()));
  const idleMib = processes.sees ? await holdsIdle(platform, processes) : 0;
  const neighbour = opened.use(await settleNeighbour(platform));
  const all = opened.move();
  return { platform, bait, neighbour, processes, idleMib, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function holdsIdle(platform: TestPlatform, processes: ProcessWatch): Promise<number> {
  const url = await platform.deploy(
    await platform.createApp(),
    "idle",
    `import process from "node:process"; export default () => new Response(String(process.pid));`,
  );
  const answer = await (await fetch(url)).text();
  const pid = Number(answer);
  if (!Number.isInteger(pid)) throw new Error(`An idle function answered "${answer.slice(0, 300)}"`);
  // A call more gives the watch time to look.
  for (let calls = 0; calls < 100; calls++) {
    await (await fetch(url)).text();
    const peak = processes.peakMib(pid);
    if (peak !== null) return peak;
  }
  throw new Error(`The process ${pid} of an idle function cannot be seen in /proc`);
}
