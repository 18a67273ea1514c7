import assert from "node:assert/strict";
import { startTestPlatform, type TestPlatform } from "../harness/platform.ts";
import { attacks } from "./attacks.ts";
import { type Bait, layBait, runAttack } from "./run_attack.ts";

let p: TestPlatform;
let bait: Bait;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform({ BUTTERBASE_EGRESS_ALLOW: "127.0.0.2" });
  bait = await layBait();
});
Deno.test.afterAll(async () => {
  await bait[Symbol.asyncDispose]();
  await p[Symbol.asyncDispose]();
});

for (const attack of attacks) {
  Deno.test(`${attack.guarantee} (attack: ${attack.name})`, async () => {
    assert.deepEqual(await runAttack(p, bait, attack), []);
  });
}
