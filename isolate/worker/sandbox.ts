// What user code finds, and what it does not. The worker's permissions already refuse files, programs, environment and
// libraries; here goes what they leave: the message channel, workers, caches, raw runtime access. This runs in the
// worker's root module, before any user code is loaded.

import process from "node:process";
import v8 from "node:v8";
import workerThreads from "node:worker_threads";
import { none } from "./quotas.ts";
import { boundConnect } from "./sockets.ts";

/** Thrown for what a function may not use, with what to do instead. */
function refused(what: string, instead: string): never {
  throw new Error(`${what} is not available in a function: ${instead}`);
}

function noThread(): Error {
  return none("threads of its own", "call another function with ctx.invoke");
}

/** Set by `Deno.serve(handler)` in user code. */
export type ServeHandler = (request: Request, info?: unknown) => unknown;

export interface SandboxHooks {
  onServe(handler: ServeHandler): void;
  onExit(code: number): never;
  onStdout(text: string): void;
}

const removedGlobals = [
  "postMessage",
  "onmessage",
  "onmessageerror",
  "close",
  "caches",
  "Cache",
  "CacheStorage",
  "BroadcastChannel",
  "WorkerGlobalScope",
  "DedicatedWorkerGlobalScope",
  "GPU",
  "LockManager",
];

/** Removes what functions must not have, and puts their own small `Deno` in the place of the runtime's. */
export function closeSandbox(hooks: SandboxHooks): void {
  lockMessages();
  for (const name of removedGlobals) {
    Reflect.deleteProperty(globalThis, name);
    // What stands on the prototype of the global object would show again.
    for (
      let scope = Object.getPrototypeOf(globalThis);
      scope !== null;
      scope = Object.getPrototypeOf(scope)
    ) {
      Reflect.deleteProperty(scope, name);
    }
  }
  // It cannot be removed.
  Object.defineProperty(globalThis, "gc", { value: undefined });
  Object.defineProperty(globalThis, "Worker", {
    value: function Worker() {
      throw noThread();
    },
    writable: true,
    configurable: true,
  });
  Object.defineProperty(globalThis, "Deno", {
    value: functionDeno(hooks),
    writable: false,
    configurable: false,
    enumerable: false,
  });
  closeNode(hooks);
}

/** Listeners for `message` would see the platform's frames. */
function lockMessages(): void {
  const add = EventTarget.prototype.addEventListener;
  const hidden = new Set(["message", "messageerror"]);
  EventTarget.prototype.addEventListener = function (this: EventTarget | undefined, type, ...rest) {
    const target = this ?? globalThis;
    if (target === globalThis && hidden.has(String(type))) return;
    return Reflect.apply(add, target, [type, ...rest]);
  };
}

/** The part of `Deno` that a function may use. */
function functionDeno(hooks: SandboxHooks): Readonly<Record<string, unknown>> {
  const real = Deno;
  const connect = boundConnect((options: Deno.ConnectOptions) => real.connect(options));
  const nothing = "functions read their settings from ctx.env";
  return Object.freeze({
    version: Object.freeze({ ...real.version }),
    build: Object.freeze({ ...real.build }),
    errors: real.errors,
    inspect: real.inspect,
    // What node's own process.memoryUsage and process.cpuUsage call.
    memoryUsage: real.memoryUsage,
    cpuUsage: (real as unknown as { cpuUsage: unknown }).cpuUsage,
    args: Object.freeze([]),
    noColor: true,
    mainModule: "function:main",
    connect: (options: Deno.ConnectOptions) => {
      if ("transport" in options && options.transport as string !== "tcp") {
        refused("A unix socket", "connect over tcp");
      }
      return connect(options);
    },
    connectTls: boundConnect(real.connectTls),
    startTls: real.startTls,
    resolveDns: real.resolveDns,
    refTimer: real.refTimer,
    unrefTimer: real.unrefTimer,
    env: Object.freeze({
      get: () => undefined,
      has: () => false,
      toObject: () => ({}),
      set: () => refused("Deno.env.set", nothing),
      delete: () => refused("Deno.env.delete", nothing),
    }),
    Command: function Command() {
      throw none("processes", "call another function with ctx.invoke");
    },
    exit: (code = 0) => hooks.onExit(Number(code)),
    serve(...given: unknown[]) {
      const handler = given.find((value) => typeof value === "function") ??
        (given.find((value) => typeof value === "object" && value !== null && "handler" in value) as
          | { handler: unknown }
          | undefined)?.handler;
      if (typeof handler !== "function") refused("Deno.serve without a handler", "pass a function");
      hooks.onServe(handler as ServeHandler);
      return Object.freeze({
        addr: Object.freeze({ transport: "tcp", hostname: "0.0.0.0", port: 0 }),
        finished: new Promise<void>(() => {}),
        shutdown: () => Promise.resolve(),
        ref() {},
        unref() {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  });
}

/** The same for what `node:` modules would give back. */
function closeNode(hooks: SandboxHooks): void {
  // Whatever `new.target` says, `super()` in a class calls the class's own prototype: so no thread can be made.
  const refuseThread = function () {
    throw noThread();
  };
  Object.setPrototypeOf(workerThreads.Worker, refuseThread);
  Object.preventExtensions(workerThreads.Worker);
  for (const name of ["parentPort", "BroadcastChannel", "receiveMessageOnPort", "postMessageToThread"]) {
    Reflect.set(workerThreads, name, undefined);
  }
  const writer = (level: string) => ({
    write: (text: unknown) => {
      hooks.onStdout(String(text).replace(/\n$/, ""));
      return true;
    },
    isTTY: false,
    columns: 80,
    fd: level === "out" ? 1 : 2,
    on: () => {},
    once: () => {},
    end: () => {},
  });
  const exit = (code?: number | string | null) => hooks.onExit(Number(code ?? 0));
  const replaced: Record<string, unknown> = {
    env: {},
    argv: ["deno", "function"],
    execArgv: [],
    exit,
    reallyExit: exit,
    abort: () => exit(134),
    kill: () => refused("process.kill", "a function sees no processes"),
    dlopen: () => refused("process.dlopen", "use WebAssembly"),
    binding: () => refused("process.binding", "use the public modules"),
    stdout: writer("out"),
    stderr: writer("err"),
    stdin: null,
    cwd: () => "/",
    chdir: () => refused("process.chdir", "a function has no files"),
  };
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(process, name, { value, writable: true, configurable: true, enumerable: true });
  }
  const flags = () => refused("v8.setFlagsFromString", "flags are the platform's");
  Object.defineProperty(v8, "setFlagsFromString", { value: flags });
}
