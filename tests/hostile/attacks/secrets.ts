// Nothing to steal: environment, files, programs, the platform's channel and keys, what other functions hold.

import { type Attack, empty } from "../attack.ts";

export const secrets: readonly Attack[] = [
  {
    kind: "reach",
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
    kind: "reach",
    name: "read and write files",
    guarantee: "a function reads and writes no file",
    imports: `import fs from "node:fs"; import { createRequire } from "node:module";`,
    program: `
    await attempt("readFileSync", () => fs.readFileSync("/etc/passwd", "utf8"));
    await attempt("readdirSync", () => fs.readdirSync("/"));
    await attempt("/proc/self/environ", () => fs.readFileSync("/proc/self/environ", "utf8"));
    await attempt("/proc/self/maps", () => fs.promises.readFile("/proc/self/maps", "utf8"));
    await attempt("statSync", () => fs.statSync("/"));
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
    kind: "reach",
    name: "start programs and load libraries",
    guarantee: "a function starts no program, loads no library, signals no process",
    filtered: true,
    imports: `import process from "node:process";`,
    program: `
    const modules = ["node:child_process", "node:cluster", "node:repl"];
    await attempt("execSync", async () => (await load(modules[0])).execSync("id").toString());
    await attempt("spawn", async () => {
      const child = (await load(modules[0])).spawn("id");
      return await new Promise((yes, no) => child.on("error", no).on("exit", yes));
    });
    await attempt("Deno.Command", () => new Deno.Command("id").output());
    await attempt("process.dlopen", () => process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6"));
    await attempt("process.binding", () => process.binding("fs"));
    await attempt("process.kill", () => process.kill(bait.pid, 0));
    await attempt("Deno.kill", () => Deno.kill(bait.pid, "SIGCONT"));
    await attempt("Deno.dlopen", () => Deno.dlopen("libc.so.6", {}));
    await attempt("inspector", async () => (await load("node:" + "inspector")).open(0));`,
  },
  {
    kind: "reach",
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
    kind: "reach",
    name: "share state with other functions",
    guarantee: "functions share no cache, channel or storage",
    program: `
    await attempt("caches", () => caches.open("x"));
    await attempt("BroadcastChannel", () => new BroadcastChannel("x"));
    await attempt("localStorage", () => localStorage.setItem("a", "b"));
    await attempt("Deno.openKv", () => Deno.openKv());`,
  },
  {
    kind: "reach",
    name: "search its memory for keys and for what others keep",
    guarantee: "nothing that a function can reach in memory holds a key, or anything of another app",
    program: `
    const secret = /bb_sk_[0-9a-f]{8}|neighbour-[0-9a-f]{8}-|postgres(ql)?:[/][/]|1{32}/;
    const search = (roots) => {
      const seen = new Set(), open = [], found = [];
      const look = (path, value) => {
        if (typeof value === "string") { if (secret.test(value)) found.push(path + ": " + value.slice(0, 80)); }
        else if (value !== null && ["object", "function"].includes(typeof value) && !seen.has(value)) { seen.add(value); open.push([path, value]); }
      };
      for (const [name, root] of Object.entries(roots)) look(name, root);
      while (open.length > 0 && seen.size < 200_000) {
        const [path, value] = open.pop();
        if (typeof value === "function") look(path + "()", Function.prototype.toString.call(value));
        look(path + ".__proto__", Object.getPrototypeOf(value));
        try { for (const entry of value instanceof Map || value instanceof Set ? value : []) look(path + "{}", entry); } catch {}
        if (ArrayBuffer.isView(value)) { look(path + "[]", new TextDecoder().decode(value)); continue; }
        for (const key of Reflect.ownKeys(value)) {
          const { value: held, get, set } = Reflect.getOwnPropertyDescriptor(value, key) ?? {};
          const at = path + "." + String(key);
          look(at, held); look(at, get); look(at, set);
          try { const got = get?.call(value); if (got instanceof Promise) got.catch(() => {}); look(at, got); } catch {}
        }
      }
      if (seen.size < 1000) return "not searched: only " + seen.size + " objects were found";
      if (found.length > 0) return found.join();
      throw new Error("none in " + seen.size + " objects");
    };
    await attempt("globals", () => search({ globalThis }));
    await attempt("the call", () => search({ ctx, globalThis, req: arguments, stack: new Error().stack }));
    await attempt("modules", async () => {
      const names = "async_hooks buffer crypto diagnostics_channel dns events http http2 module net os perf_hooks process stream timers util v8 vm worker_threads";
      return search(await Promise.all(names.split(" ").map((name) => load("node:" + name).catch(() => null))));
    });
    await attempt("errors", async () => {
      const errors = await Promise.all([ctx.db.query("wrong"), ctx.invoke("none"), fetch("http://127.0.0.1:1")].map((p) => p.catch((e) => e)));
      return search({ errors, globalThis });
    });
    await attempt("stack frames", () => {
      Error.prepareStackTrace = (_, frames) => frames;
      const frames = new Error().stack;
      delete Error.prepareStackTrace;
      return search({ frames, held: frames.flatMap?.((f) => [f.getThis?.(), f.getFunction?.()]), globalThis });
    });`,
    harmless: (_, result) => result.startsWith("refused: none in "),
  },
  {
    kind: "reach",
    name: "listen in by replacing built-ins",
    guarantee: "nothing that a function can reach in memory holds a key, or anything of another app",
    program: `
    const secret = /bb_sk_[0-9a-f]{8}|neighbour-[0-9a-f]{8}-|postgres(ql)?:[/][/]|1{32}/;
    const heard = [], undo = [];
    const note = (value) => { if (typeof value === "string" && secret.test(value)) heard.push(value.slice(0, 80)); };
    const tap = (owner, name) => {
      const real = owner[name];
      owner[name] = function (...given) {
        const result = Reflect.apply(real, this, given);
        for (const value of [this, ...given, result]) note(value);
        return result;
      };
      undo.push(() => (owner[name] = real));
    };
    for (const [owner, names] of [
      [JSON, ["parse", "stringify"]], [TextDecoder.prototype, ["decode"]], [TextEncoder.prototype, ["encode"]],
      [Map.prototype, ["get", "set", "delete"]], [Set.prototype, ["add"]], [Array.prototype, ["push", "map", "join", "shift"]],
      [String.prototype, ["slice", "split", "startsWith", "replace"]], [RegExp.prototype, ["exec", "test"]],
      [Promise.prototype, ["then"]], [Headers.prototype, ["get", "set", "append"]], [Object, ["entries", "fromEntries", "assign"]],
    ]) for (const name of names) tap(owner, name);
    try {
      await ctx.db.query("select 1").catch(() => {});
      await ctx.invoke("none").catch(() => {});
      await fetch("http://127.0.0.1:1").catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 300));
    } finally {
      for (const back of undo) back();
    }
    await attempt("what was said", () => { if (heard.length > 0) return heard.join(); throw new Error("nothing"); });`,
  },
  {
    kind: "reach",
    name: "call another app's function",
    guarantee: "a function calls those of its own app only",
    program: `
    for (const name of ["neighbour", "../neighbour", bait.neighbour.app + "/neighbour", "../../" + bait.neighbour.app + "/fn/neighbour", "neighbour\\0", ""]) {
      await attempt("ctx.invoke " + name, async () => {
        const response = await ctx.invoke(name, { method: "POST", body: "x" });
        if (response.status === 404) throw new Error("404");
        return response.status + " " + await response.text();
      });
    }`,
  },
];
