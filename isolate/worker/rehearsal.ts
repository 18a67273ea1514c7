// What a first call would wait for: V8 compiles code when it first runs, the platform's own as well. So a worker calls a
// function of the platform's before it is given anybody's, on the very path of a real call but for the socket.

import { type Bytes, frameHeadBytes, FrameKind, FrameWriter } from "../protocol/frames.ts";
import type { InvokeHead, LoadHead } from "../protocol/messages.ts";
import { Progress, progressWords } from "../protocol/progress.ts";
import { createCalls } from "./calls.ts";
import { CpuShares } from "./cpu.ts";
import { findHandler } from "./handler.ts";
import { Invocations } from "./invocations.ts";
import type { Port } from "./port.ts";
import { limits } from "./quotas.ts";
import { gc } from "./runtime.ts";

const source = `export default async function handler(req, ctx) {
  const { searchParams } = new URL(req.url);
  const body = req.method === "POST" ? await req.json() : null;
  return Response.json({ body, name: searchParams.get("name"), type: req.headers.get("x-type"), user: ctx.user });
}`;

/** Imports a bundle and answers two calls of it. */
export async function rehearse(): Promise<void> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    const handler = findHandler(await import(url), undefined);
    for (const method of ["GET", "POST"]) await call(handler, method);
  } finally {
    URL.revokeObjectURL(url);
  }
  // What is left of the start would stay for as long as the worker is idle: it is 2.5 MB.
  gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
}

async function call(handler: ReturnType<typeof findHandler>, method: string): Promise<void> {
  const answered = Promise.withResolvers<void>();
  const port: Port = {
    out: new FrameWriter(),
    soon: () => {},
    now: () => answered.resolve(),
    progress: new Progress(progressWords()),
  };
  const invocations = new Invocations({
    port,
    calls: createCalls(port),
    cpu: new CpuShares(() => 0),
    handler,
    load,
  });
  invocations.start(1, invokeFrame(method));
  await answered.promise;
}

const load: LoadHead = {
  functionName: "rehearsal",
  // The platform's own handler asks for nothing of it.
  app: {} as LoadHead["app"],
  env: {},
  memoryLimitMb: 64,
  waitUntilMs: 1000,
  quotas: limits,
};

function invokeFrame(method: string): Bytes {
  const head: InvokeHead = {
    method,
    url: "http://rehearsal/?name=x",
    headers: [["content-type", "application/json"], ["x-type", "y"]],
    body: method === "POST" ? "whole" : "none",
    user: null,
    caller: { type: "anonymous", keyId: null, scope: null, userId: null },
    request: { id: "", ip: null, country: null, functionName: "rehearsal" },
    trigger: { type: "http", id: null, attempt: 1, time: "", config: {} },
  };
  const out = new FrameWriter();
  out.jsonWithTail(
    FrameKind.Invoke,
    1,
    head,
    method === "POST" ? new TextEncoder().encode("{}") : new Uint8Array(0),
  );
  return out.take().subarray(frameHeadBytes);
}
