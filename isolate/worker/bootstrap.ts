// The root module of an isolate's worker, and the only one that is trusted: it takes the message channel, closes the
// sandbox, then loads the user's bundle. EMPTY → LOADING → SERVING, or FAILED.
//
// No import here may be dynamic with a literal: such an import in the root module is not checked against the worker's
// permissions. The bundle comes in by a computed import, which is.

import { type Bytes, decodeJson, decodeJsonWithTail, type Frame, FrameKind } from "../protocol/frames.ts";
import type { EnvUpdate, LoadHead } from "../protocol/messages.ts";
import { createCalls } from "./calls.ts";
import { captureConsole, current, print, type Printer, printer } from "./console.ts";
import { CpuShares } from "./cpu.ts";
import { boundFetches } from "./fetches.ts";
import { findHandler } from "./handler.ts";
import { showHolder } from "./holder.ts";
import { Invocations } from "./invocations.ts";
import { openPort } from "./port.ts";
import { limits } from "./quotas.ts";
import { rehearse } from "./rehearsal.ts";
import { reportError } from "./reported_error.ts";
import { watchRequests } from "./request_signal.ts";
import { watchResponses } from "./responses.ts";
import { closeSandbox, type ServeHandler } from "./sandbox.ts";
import { boundSockets } from "./sockets.ts";
import { countTimers } from "./timers.ts";

const { postMessage: tellHost } = globalThis as unknown as { postMessage(message: string): void };
const early: Frame[] = [];
let take = (frame: Frame): void => void early.push(frame);
const port = await openPort((frame) => take(frame));

const { cpuUsage } = Deno as unknown as { cpuUsage(): { user: number; system: number } };
const cpu = new CpuShares(() => {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
});
const calls = createCalls(port);

/** What the module prints outside any invocation goes out under id 0. */
const orphans: Printer = {
  id: 0,
  printed: 0,
  printedBytes: 0,
  dropped: 0,
  print(entry) {
    port.out.json(FrameKind.Console, 0, entry);
    port.now();
  },
};

let served: ServeHandler | undefined;
captureConsole(orphans);
showHolder(port.progress);
watchResponses();
watchRequests();
countTimers();
boundFetches();
boundSockets();
closeSandbox({
  onServe: (handler) => void (served = handler),
  onExit(code) {
    port.out.json(FrameKind.Exited, printer.getStore()?.id ?? 0, { code });
    port.now();
    // The server ends the process; until then nothing of this call may go on.
    throw new Error(`The function ended its process with code ${code}`);
  },
  onStdout: (text) => console.log(text),
});
keepAlive();

/** An error that nobody catches is its invocation's misfortune; it must not end the worker, and with it all others. */
function keepAlive(): void {
  const report = (thrown: unknown) => print(current(), "error", ["Uncaught", thrown]);
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    report(event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    report(event.error);
  });
}

async function load(payload: Bytes): Promise<Invocations> {
  const { head, tail } = decodeJsonWithTail<LoadHead>(payload);
  Object.assign(limits, head.quotas);
  const url = URL.createObjectURL(new Blob([tail], { type: "text/javascript" }));
  try {
    const module = await import(url);
    return new Invocations({ port, calls, cpu, load: head, handler: findHandler(module, served) });
  } finally {
    URL.revokeObjectURL(url);
  }
}

function serve(invocations: Invocations): (frame: Frame) => void {
  return ({ kind, id, payload }) => {
    switch (kind) {
      case FrameKind.Invoke:
        return invocations.start(id, payload);
      case FrameKind.RequestChunk:
        return invocations.chunk(id, payload);
      case FrameKind.RequestEnd:
        return invocations.requestEnded(id);
      case FrameKind.RequestBroken:
        return invocations.requestBroke(id);
      case FrameKind.ResponseCredit:
        return invocations.credit(id, payload);
      case FrameKind.Cancel:
        return invocations.cancel(id, payload);
      case FrameKind.Unseal:
        return port.progress.unseal();
      case FrameKind.Env:
        invocations.settings = decodeJson<EnvUpdate>(payload);
        return;
    }
  };
}

/** Answered in every state, so that the server can tell a worker that is busy from one that is stuck. */
function always(frame: Frame): boolean {
  if (frame.kind === FrameKind.Ping) {
    port.out.bytes(FrameKind.Pong, frame.id);
    port.soon();
    return true;
  }
  if (frame.kind === FrameKind.Answer) {
    calls.answer(frame.id, frame.payload);
    return true;
  }
  return false;
}

async function onLoad(payload: Bytes): Promise<void> {
  const waiting: Frame[] = [];
  take = (frame) => void (always(frame) || waiting.push(frame));
  let invocations: Invocations;
  try {
    invocations = await load(payload);
  } catch (thrown) {
    port.out.json(FrameKind.LoadFailed, 0, reportError(thrown));
    port.now();
    return;
  }
  port.out.bytes(FrameKind.Loaded, 0);
  port.soon();
  const onFrame = serve(invocations);
  take = (frame) => void (always(frame) || onFrame(frame));
  for (const frame of waiting) take(frame);
}

take = (frame) => void (always(frame) || (frame.kind === FrameKind.Load && onLoad(frame.payload)));
for (const frame of early) take(frame);
await rehearse();
// Only now: a host whose sandbox is not closed must never be given a function.
tellHost("started");
