// Logins, beside the check of the same password alone: the hash is what should bound them.

import { load } from "../load.ts";
import { besideBare, type Row } from "../results.ts";
import { startPeer } from "../servers.ts";
import { inTurn, rounds } from "../statistics.ts";
import { openWorld } from "../world.ts";

export async function logins(): Promise<Row[]> {
  await using world = await openWorld({ BUTTERBASE_AUTH_LIMITS: "off" });
  await using bare = await startPeer("bare_login.ts");
  const credentials = { email: "ada@example.com", password: "Correct-horse-1" };
  await world.client.post(`/auth/${world.app}/signup`, credentials);
  const body = `${world.dir}/login.json`;
  await Deno.writeTextFile(body, JSON.stringify(credentials));
  const at = (seconds: number) => ({
    ours: () => load(`${world.ours.origin}/auth/${world.app}/login`, { connections: 4, seconds, body }),
    bare: () => load(`${bare.origin}/`, { connections: 4, seconds, body }),
  });
  for (const warm of Object.values(at(1))) await warm();
  const results = await inTurn(rounds, at(3));
  const failed = results.ours.reduce((sum, each) => sum + each.failed, 0);
  if (failed > 0) throw new Error(`${failed} logins failed`);
  return [besideBare("logins, 4 connections, a second", results)];
}
