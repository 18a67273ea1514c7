import assert from "node:assert/strict";
import { attacks } from "./attacks.ts";
import { missing } from "./needs.ts";
import { runAttack } from "./run_attack.ts";
import { openWorld, type World } from "./world.ts";

const opened = new AsyncDisposableStack();
let world: World;
Deno.test.beforeAll(async () => {
  world = opened.use(await openWorld());
});
Deno.test.afterAll(async () => {
  await opened.disposeAsync();
});

for (const attack of attacks) {
  Deno.test({
    name: `${attack.guarantee} (attack: ${attack.name})`,
    ignore: missing(attack.needs) !== null,
    async fn() {
      const { faults } = await runAttack(world, attack);
      assert.deepEqual(faults, { attacker: [], neighbour: [], operator: [] });
    },
  });
}

Deno.test("an attack that gets through is seen to: the operator allows loopback, and the bait is taken", async () => {
  await using open = await openWorld({ BUTTERBASE_EGRESS_ALLOW: "127.0.0.0/8" });
  const attack = attacks.find(({ name }) => name === "connect to the machine and its network");
  assert.ok(attack);
  const { attacker, neighbour, operator } = (await runAttack(open, attack)).faults;
  assert.ok(attacker.includes("fetch 127.0.0.1: secret"), attacker.join("\n"));
  assert.match(attacker.at(-1) ?? "", /^the bait was visited \d+ times$/);
  assert.deepEqual([neighbour, operator], [[], []]);
});

Deno.test("an attack whose end is not as it should be is seen to, by the caller and by the operator", async () => {
  const attack = attacks.find(({ name }) => name === "flood the log");
  assert.ok(attack?.kind === "spend");
  const { faults } = await runAttack(world, {
    ...attack,
    attacker: { status: 504, code: "FUNCTION_TIMEOUT" },
    operator: { error: /deadline/, process: "stays" },
  });
  assert.equal(faults.attacker.length, 1);
  assert.equal(faults.operator.length, 1);
});
