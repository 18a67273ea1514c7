// `deno task doctor`: runs every attack against a platform that it starts on this machine, prints which guarantees hold
// here, and exits with 1 if one does not.

import type { Attack } from "./attack.ts";
import { attacks } from "./attacks.ts";
import { missing } from "./needs.ts";
import { type Finding, progress, report } from "./report.ts";
import { runAttack, type Verdict } from "./run_attack.ts";
import { openWorld } from "./world.ts";

console.error(
  `Attacking a platform of its own, on loopback only: ${attacks.length} attacks, about a minute.`,
);
// What the operator of this machine opens to functions, the attacks find open.
const BUTTERBASE_EGRESS_IPV6 = Deno.env.get("BUTTERBASE_EGRESS_IPV6");
await using world = await openWorld(BUTTERBASE_EGRESS_IPV6 ? { BUTTERBASE_EGRESS_IPV6 } : {});
const findings: Finding[] = [];
for (const [index, attack] of attacks.entries()) {
  const lacking = missing(attack.needs);
  const outcome: Finding["outcome"] = lacking === null
    ? { kind: "tried", verdict: await tried(attack) }
    : { kind: "untried", why: lacking.why, remedy: lacking.remedy };
  findings.push({ attack, outcome });
  console.error(`[${index + 1}/${attacks.length}] ${progress({ attack, outcome })}`);
}
const { lines, holds } = report(findings);
console.log(`\n${lines.join("\n")}`);
Deno.exitCode = holds ? 0 : 1;

/** An attack after which nothing can be looked at has done enough. */
async function tried(attack: Attack): Promise<Verdict> {
  try {
    return await runAttack(world, attack);
  } catch (error) {
    return {
      faults: { attacker: [], neighbour: [], operator: [`could not look on to the end: ${error}`] },
      measured: { answeredMs: 0, goneMs: null, memoryMib: null },
    };
  }
}
