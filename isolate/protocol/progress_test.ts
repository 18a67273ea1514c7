import assert from "node:assert/strict";
import { Progress, progressWords } from "./progress.ts";

Deno.test("a sealed worker begins nothing, and counts on, until it is unsealed", () => {
  const words = progressWords();
  const [worker, mainThread] = [new Progress(words), new Progress(words)];
  assert.deepEqual([worker.begin(), worker.begin()], ["begun", "begun"]);
  assert.deepEqual(mainThread.seal("always"), { begun: 2, holder: 0 });
  assert.deepEqual([worker.begin(), worker.begin()], ["sealed", "sealed"]);
  assert.deepEqual(mainThread.seal("always"), { begun: 4, holder: 0 });
  worker.unseal();
  assert.equal(worker.begin(), "begun");
  assert.deepEqual(mainThread.seal("always"), { begun: 5, holder: 0 });
});

Deno.test("a worker whose thread nobody holds is sealed only when it must be", () => {
  const words = progressWords();
  const [worker, mainThread] = [new Progress(words), new Progress(words)];
  worker.begin();
  assert.deepEqual(mainThread.seal("held"), { begun: null, holder: 0 });
  assert.equal(worker.begin(), "begun");
  worker.hold(2);
  assert.deepEqual(mainThread.seal("held"), { begun: 2, holder: 2 });
  assert.equal(worker.begin(), "sealed");
});
