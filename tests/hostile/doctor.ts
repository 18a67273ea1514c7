// `deno task doctor`: runs every attack on the machine it is on, and prints which guarantees hold here.

import { startTestPlatform } from "../harness/platform.ts";
import { attacks } from "./attacks.ts";
import { layBait, runAttack } from "./run_attack.ts";

await using platform = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: "127.0.0.2" });
await using bait = await layBait();
let broken = 0;
for (const attack of attacks) {
  const worked = await runAttack(platform, bait, attack);
  console.log(`${worked.length === 0 ? "holds " : "BROKEN"}  ${attack.guarantee}`);
  for (const line of worked) console.log(`        ${line}`);
  if (worked.length > 0) broken++;
}
console.log(
  broken === 0
    ? `All ${attacks.length} guarantees hold on this machine.`
    : `${broken} of ${attacks.length} guarantees do not hold on this machine: do not run code of strangers on it.`,
);
Deno.exitCode = broken === 0 ? 0 : 1;
