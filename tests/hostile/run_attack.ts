// Runs attacks against a platform, with bait that an attack which works would touch.

import { type Attack, attackFunction } from "./attacks.ts";
import type { TestPlatform } from "../harness/platform.ts";

/** Listeners on loopback that no function may reach. */
export interface Bait extends AsyncDisposable {
  readonly port: number;
  /** Sends whoever asks to `port`; the operator allows its address, 127.0.0.2. */
  readonly redirectPort: number;
  readonly socket: string;
  /** How often somebody came. */
  readonly visits: () => number;
}

export async function layBait(): Promise<Bait> {
  await using opened = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "bb-bait-" });
  opened.defer(() => Deno.remove(folder, { recursive: true }));
  let visits = 0;
  const visit = () => {
    visits++;
    return new Response("secret");
  };
  const quiet = { onListen() {} };
  const server = Deno.serve({ ...quiet, hostname: "0.0.0.0", port: 0 }, visit);
  opened.defer(() => server.shutdown());
  const location = `http://127.0.0.1:${server.addr.port}/`;
  const redirect = Deno.serve(
    { ...quiet, hostname: "127.0.0.2", port: 0 },
    () => new Response(null, { status: 302, headers: { location } }),
  );
  opened.defer(() => redirect.shutdown());
  const socket = `${folder}/s`;
  const unix = Deno.serve({ ...quiet, path: socket }, visit);
  opened.defer(() => unix.shutdown());
  const all = opened.move();
  return {
    port: server.addr.port,
    redirectPort: redirect.addr.port,
    socket,
    visits: () => visits,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Attempts of the attack that were not refused, each with what it got. */
export async function runAttack(platform: TestPlatform, bait: Bait, attack: Attack): Promise<string[]> {
  const app = await platform.createApp();
  const url = await platform.deploy(app, "attack", attackFunction(attack), { timeoutMs: 120_000 });
  const before = bait.visits();
  const response = await fetch(url, {
    method: "POST",
    body: JSON.stringify({
      port: bait.port,
      redirectPort: bait.redirectPort,
      socket: bait.socket,
      pid: Deno.pid,
      dataDir: "/",
    }),
  });
  const text = await response.text();
  if (response.status !== 200) return [`the attack did not run: ${response.status} ${text.slice(0, 300)}`];
  const { harmless = (_: string, result: string) => result.startsWith("refused: ") } = attack;
  const worked = Object.entries(JSON.parse(text) as Record<string, string>)
    .filter(([attempt, result]) => !harmless(attempt, result))
    .map(([attempt, result]) => `${attempt}: ${result.slice(0, 200)}`);
  if (bait.visits() > before) worked.push(`the bait was visited ${bait.visits() - before} times`);
  return worked;
}
