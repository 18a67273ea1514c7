// Attacks on the platform by the author of a function: a small program each, and what must come of it. A program answers
// JSON `{ "<attempt>": "<what happened>" }`; an attempt that was refused begins with "refused: ".

export interface Attack {
  /** What the attacker wants. */
  readonly name: string;
  /** The guarantee that holds if it fails, as the operator reads it. */
  readonly guarantee: string;
  /** Body of `async (attempt, bait, ctx) => {}`; `attempt(name, run)` notes what `run` gave, or why it was refused. */
  readonly program: string;
  /** Imports that the program needs, before everything else. */
  readonly imports?: string;
  /** Judges one attempt; by default only a refusal is good. */
  readonly harmless?: (attempt: string, result: string) => boolean;
}

/** The function around an attack's program. */
export function attackFunction({ program, imports = "" }: Attack): string {
  return `${imports}
export default async function handler(req, ctx) {
  const bait = await req.json();
  const found = {};
  // What the check at deploy refuses in the open is tried behind its back.
  const load = new Function("url", "options", "return import(url, options)");
  async function attempt(name, run) {
    try {
      const value = await Promise.race([run(), new Promise((_, no) => setTimeout(() => no(new Error("no answer")), 2000))]);
      found[name] = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
    } catch (error) {
      found[name] = "refused: " + (error && error.message || error);
    }
  }
  await (async () => {
${program}
  })();
  return Response.json(found);
}`;
}

const empty = (_: string, result: string) =>
  result.startsWith("refused: ") || ["undefined", "{}", "null", "", "false"].includes(result);

export const attacks: readonly Attack[] = [
  {
    name: "read the server's environment",
    guarantee: "a function sees no environment variable of the server",
    imports: `import process from "node:process";`,
    program: `
    await attempt("Deno.env.toObject", () => Deno.env.toObject());
    await attempt("Deno.env.get", () => Deno.env.get("PATH"));
    await attempt("process.env", () => ({ ...process.env }));
    await attempt("globalThis.process.env.PATH", () => globalThis.process.env.PATH);`,
    harmless: empty,
  },
  {
    name: "read and write files",
    guarantee: "a function reads and writes no file",
    imports: `import fs from "node:fs"; import { createRequire } from "node:module";`,
    program: `
    await attempt("readFileSync", () => fs.readFileSync("/etc/passwd", "utf8"));
    await attempt("readdirSync", () => fs.readdirSync("/"));
    await attempt("/proc/self/environ", () => fs.readFileSync("/proc/self/environ", "utf8"));
    await attempt("/proc/self/maps", () => fs.promises.readFile("/proc/self/maps", "utf8"));
    await attempt("statSync", () => fs.statSync(bait.dataDir));
    await attempt("writeFileSync", () => fs.writeFileSync("/tmp/hostile", "x"));
    await attempt("mkdtempSync", () => fs.mkdtempSync("/tmp/hostile"));
    await attempt("symlinkSync", () => fs.symlinkSync("/etc/passwd", "/tmp/hostile-link"));
    await attempt("createRequire", () => createRequire("file:///tmp/x.js")("/etc/hostname"));
    await attempt("Deno.readTextFile", () => Deno.readTextFile("/etc/passwd"));
    const importFile = "file:///etc/passwd";
    await attempt("import file", () => load(importFile));
    const asText = { with: { type: "text" } };
    await attempt("import text", () => load(importFile, asText));
    for (let fd = 3; fd < 64; fd++) {
      try { fs.writeSync(fd, "forged"); await attempt("write to descriptor " + fd, () => "written"); } catch {}
      try { const b = new Uint8Array(16); if (fs.readSync(fd, b) > 0) await attempt("read from descriptor " + fd, () => "read"); } catch {}
    }`,
  },
  {
    name: "start programs and load libraries",
    guarantee: "a function starts no program, loads no library, signals no process",
    imports: `import process from "node:process";`,
    program: `
    const modules = ["node:child_process", "node:cluster", "node:repl"];
    await attempt("execSync", async () => (await load(modules[0])).execSync("id").toString());
    await attempt("spawn", async () => new Promise(async (yes, no) => {
      const child = (await load(modules[0])).spawn("id"); child.on("error", no); child.on("exit", yes);
    }));
    await attempt("Deno.Command", () => new Deno.Command("id").output());
    await attempt("process.dlopen", () => process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6"));
    await attempt("process.binding", () => process.binding("fs"));
    await attempt("process.kill", () => process.kill(bait.pid, 0));
    await attempt("Deno.kill", () => Deno.kill(bait.pid, "SIGCONT"));
    await attempt("Deno.dlopen", () => Deno.dlopen("libc.so.6", {}));
    await attempt("inspector", async () => (await load("node:" + "inspector")).open(0));`,
  },
  {
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
  {
    name: "reach the platform's channel",
    guarantee: "a function finds neither the platform's socket nor its messages",
    program: `
    await attempt("postMessage", () => postMessage("forged") ?? "sent");
    await attempt("self.postMessage", () => self.postMessage("forged") ?? "sent");
    await attempt("prototype postMessage", () => {
      for (let scope = globalThis; scope; scope = Object.getPrototypeOf(scope)) {
        if (Object.hasOwn(scope, "postMessage")) return "found";
      }
      throw new Error("none");
    });
    await attempt("message listener", () => new Promise((yes, no) => {
      addEventListener("message", () => yes("heard"));
      globalThis.onmessage = () => yes("heard");
      EventTarget.prototype.addEventListener.call(globalThis, "message", () => yes("heard"));
      fetch("http://127.0.0.1:1").catch(() => {});
      setTimeout(() => no(new Error("nothing heard")), 300);
    }));
    await attempt("Deno internals", () => Deno[Deno.internal] ?? Object.getOwnPropertySymbols(Deno).length);
    await attempt("unix socket", () => Deno.connect({ transport: "unix", path: bait.socket }).then(() => "connected"));
    await attempt("node unix socket", async () => {
      const net = await load("node:" + "net");
      return await new Promise((yes, no) => net.connect(bait.socket).on("connect", () => yes("connected")).on("error", no));
    });
    await attempt("parentPort", async () => (await load("node:" + "worker_threads")).default.parentPort?.postMessage("x"));
    await attempt("key in toString", () => {
      const texts = [ctx.db.query, ctx.invoke, ctx.waitUntil, fetch, console.log].map(String).join();
      if (/bb_sk_|password|postgres:/.test(texts)) return "found";
      throw new Error("none");
    });`,
    harmless: (attempt, result) =>
      result.startsWith("refused: ") || (attempt === "Deno internals" && result === "0") ||
      result === "undefined",
  },
  {
    name: "share state with other functions",
    guarantee: "functions share no cache, channel or storage",
    program: `
    await attempt("caches", () => caches.open("x"));
    await attempt("BroadcastChannel", () => new BroadcastChannel("x"));
    await attempt("localStorage", () => localStorage.setItem("a", "b"));
    await attempt("Deno.openKv", () => Deno.openKv());`,
  },
  {
    name: "become another database role",
    guarantee: "SQL changes no role, runs no program, reads no file, and reaches no other database",
    program: `
    const sql = (name, text) => attempt(name, async () => (await ctx.db.asAnon((db) => db.query(text))).rows);
    const role = async (name, text) => {
      await attempt(name, async () => {
        const { rows } = await ctx.db.asAnon(async (db) => { await db.query(text).catch(() => {}); return await db.query("select current_user as who"); }).catch((e) => { throw e; });
        if (rows[0].who === "butterbase_anon") throw new Error("still butterbase_anon");
        return rows[0].who;
      });
    };
    await role("RESET ROLE", "reset role");
    await role("SET ROLE", "set role butterbase_service");
    await role("set_config role", "select set_config('role', 'butterbase_service', false)");
    await role("SET SESSION AUTHORIZATION", "set session authorization butterbase_service");
    for (const [name, text] of Object.entries({
      "COPY PROGRAM": "copy (select 1) to program 'id'",
      "COPY FROM file": "create temp table t (x text); copy t from '/etc/passwd'",
      pg_read_file: "select pg_read_file('/etc/passwd')",
      pg_ls_dir: "select pg_ls_dir('.')",
      lo_import: "select lo_import('/etc/passwd')",
      dblink: "create extension dblink",
      postgres_fdw: "create extension postgres_fdw",
      "passwords": "select rolpassword from pg_authid",
      "other sessions": "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()",
      "grant": "grant butterbase_service to butterbase_anon",
      "alter role": "alter role butterbase_anon bypassrls",
      "other database": "select * from " + '"butterbase_control".public.platform_keys',
      "alter system": "alter system set log_statement = 'all'",
    })) {
      await sql(name, text);
      await attempt(name + " as service", async () => (await ctx.db.asService((db) => db.query(text))).rows);
    }`,
  },
  {
    name: "connect to the machine and its network",
    guarantee: "a function connects to no loopback, private, link-local or metadata address",
    imports:
      `import net from "node:net"; import http from "node:http"; import dgram from "node:dgram"; import tls from "node:tls";`,
    program: `
    const hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"];
    for (const host of hosts) {
      await attempt("fetch " + host, async () => (await fetch("http://" + host + ":" + bait.port + "/")).text());
      const bare = host.replace(/[\\[\\]]/g, "");
      await attempt("Deno.connect " + host, () => Deno.connect({ hostname: bare, port: bait.port }).then(() => "connected"));
      await attempt("node:net " + host, () => new Promise((yes, no) => net.connect(bait.port, bare).on("connect", () => yes("connected")).on("error", no)));
    }
    await attempt("node:http", () => new Promise((yes, no) => http.get("http://127.0.0.1:" + bait.port, (r) => yes("answered " + r.statusCode)).on("error", no)));
    await attempt("connectTls", () => Deno.connectTls({ hostname: "127.0.0.1", port: bait.port }).then(() => "connected"));
    await attempt("node:tls", () => new Promise((yes, no) => tls.connect(bait.port, "127.0.0.1").on("connect", () => yes("connected")).on("error", no)));
    await attempt("WebSocket", () => new Promise((yes, no) => { const s = new WebSocket("ws://127.0.0.1:" + bait.port); s.onopen = () => yes("open"); s.onerror = (e) => no(new Error(e.message || "error")); }));
    await attempt("redirect", async () => (await fetch("http://127.0.0.2:" + bait.redirectPort + "/")).text());
    await attempt("dgram", () => new Promise((yes, no) => { const s = dgram.createSocket("udp4"); s.on("error", no); s.send("x", bait.port, "127.0.0.1", (e) => e ? no(e) : yes("sent")); }));
    await attempt("EventSource", () => new Promise((yes, no) => { const s = new EventSource("http://127.0.0.1:" + bait.port); s.onopen = () => { s.close(); yes("open"); }; s.onerror = () => { s.close(); no(new Error("error")); }; }));
    await attempt("import http", () => load("http://127.0.0.1:" + bait.port + "/x.js"));`,
  },
  {
    name: "listen on the machine",
    guarantee: "a function opens no port",
    imports: `import net from "node:net"; import http from "node:http"; import dgram from "node:dgram";`,
    program: `
    await attempt("Deno.listen", () => Deno.listen({ port: 0 }));
    const listen = (server, ...where) => new Promise((yes, no) => server.on("error", no).listen(...where, () => { const { port } = server.address(); server.close(); yes("listening " + port); }));
    await attempt("node:net", () => listen(net.createServer(), 0));
    await attempt("node:net on ::", () => listen(net.createServer(), 0, "::"));
    await attempt("node:net on 127.0.0.2", () => listen(net.createServer(), 0, "127.0.0.3"));
    await attempt("node:http", () => listen(http.createServer(), 0));
    await attempt("dgram", () => new Promise((yes, no) => { const s = dgram.createSocket("udp4"); s.on("error", no); s.bind(0, () => { s.close(); yes("bound"); }); }));`,
  },
];
