// What runs out besides time and memory. Where the function is refused it says so, with the code that it saw.

import type { Attack, SpendAttack } from "../attack.ts";
import type { Need } from "../needs.ts";

/** The function goes on and answers; what it took too much of was refused by a code. */
function greedy(
  name: string,
  guarantee: string,
  program: string,
  needs: readonly Need[] = [],
): SpendAttack {
  return {
    kind: "spend",
    name,
    guarantee,
    needs,
    imports: `const endless = new Promise(() => {});
async function refusal(run) {
  try { await run(); return "none"; } catch (error) { return String(error.code ?? error.name); }
}`,
    program,
    attacker: { status: 200, body: /^QUOTA_LIMIT_EXCEEDED$/ },
    operator: { error: null, process: "stays" },
  };
}

export const exhaustion: readonly Attack[] = [
  {
    kind: "reach",
    name: "start workers of its own",
    guarantee: "a function has one thread",
    program: `
    const threads = await load("node:" + "worker_threads");
    await attempt("Worker", () => new Worker("data:text/javascript,postMessage(1)", { type: "module" }) && "created");
    await attempt("worker_threads", () => new threads.Worker("1", { eval: true }) && "created");
    await attempt("worker_threads by Reflect", () => Reflect.construct(threads.Worker, ["1", { eval: true }], function () {}) && "created");
    await attempt("worker_threads subclass", () => new (class extends threads.Worker {})("1", { eval: true }) && "created");
    await attempt("mended prototype", () => {
      Object.setPrototypeOf(threads.Worker, (class {}));
      return new threads.Worker("1", { eval: true }) && "created";
    });
    await attempt("default export", () => new threads.default.Worker("1", { eval: true }) && "created");`,
  },
  greedy(
    "hold database connections",
    "an invocation holds few database connections",
    `const held = Array.from({ length: 200 }, () => refusal(() => ctx.db.asService(() => endless)));
  return new Response(await Promise.race(held));`,
  ),
  greedy(
    "set timers without end",
    "live timers are bounded",
    `return new Response(await refusal(() => { for (let set = 0; set < 1e6; set++) setTimeout(() => {}, 1e6); }));`,
  ),
  greedy(
    "fetch without end",
    "fetches under way are bounded",
    `const url = "http://127.0.0.2:" + bait.silentPort;
  return new Response(await Promise.race(Array.from({ length: 2000 }, () => refusal(() => fetch(url)))));`,
    ["secondLoopback"],
  ),
  greedy(
    "open sockets without end",
    "open sockets are bounded",
    `const where = { hostname: "127.0.0.2", port: bait.silentPort };
  return new Response(await refusal(async () => { for (let open = 0; open < 2000; open++) await Deno.connect(where); }));`,
    ["secondLoopback"],
  ),
  greedy(
    "go on without end after its answer",
    "pending promises of ctx.waitUntil are bounded",
    `const soon = new Promise((resolve) => setTimeout(resolve, 300));
  return new Response(await refusal(() => { for (let told = 0; told < 1e5; told++) ctx.waitUntil(soon); }));`,
  ),
  greedy(
    "ask for everything at once",
    "calls of ctx under way are bounded",
    `const asked = Array.from({ length: 5000 }, () => refusal(() => ctx.db.query("select pg_sleep(0.05)")));
  const refused = (await Promise.all(asked)).filter((code) => code !== "none");
  return new Response([...new Set(refused)].join());`,
  ),
  greedy(
    "call itself without end",
    "functions that call one another end somewhere",
    `const inner = await refusal(async () => {
    const response = await ctx.invoke("attack", { method: "POST", body: JSON.stringify(bait) });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    if (text !== "none") throw Object.assign(new Error(text), { code: text });
  });
  return new Response(inner);`,
  ),
  {
    kind: "spend",
    name: "flood the log",
    guarantee: "what a function writes to the log is bounded",
    program: `for (let line = 0; line < 20_000; line++) console.log("x".repeat(10_000));
  return new Response("done");`,
    attacker: { status: 200, body: /^done$/ },
    operator: { error: null, process: "stays" },
  },
  {
    kind: "spend",
    name: "answer with headers without end",
    guarantee: "an answer's head is bounded",
    program: `const headers = new Headers();
  for (let at = 0; at < 1000; at++) headers.append("x-" + at, "y".repeat(4000));
  return new Response("done", { headers });`,
    attacker: { status: 500, code: "FUNCTION_BAD_RESPONSE" },
    operator: { error: /header/i, process: "stays" },
  },
  {
    kind: "spend",
    name: "answer without end",
    guarantee: "the bytes of an answer are bounded",
    program: `const part = new Uint8Array(65536);
  return new Response(new ReadableStream({ pull: (to) => to.enqueue(part) }));`,
    attacker: { status: 200, body: /broken off$/ },
    operator: { error: /BUTTERBASE_MAX_RESPONSE_BYTES/, process: "stays" },
  },
  {
    kind: "spend",
    name: "answer with one large body",
    guarantee: "the bytes of an answer are bounded",
    program: `return new Response(new Uint8Array(32 * 1024 * 1024));`,
    attacker: { status: 500, code: "FUNCTION_BAD_RESPONSE" },
    operator: { error: /BUTTERBASE_MAX_RESPONSE_BYTES/, process: "stays" },
  },
];
