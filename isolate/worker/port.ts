// The worker's end of its socket to the server. What is sent within one turn of the event loop goes as one write, unless
// it must not wait: a handler may block right after it printed.

import { setImmediate } from "node:timers";
import { type Bytes, type Frame, FrameReader, FrameWriter } from "../protocol/frames.ts";
import { Progress } from "../protocol/progress.ts";
import { core } from "./runtime.ts";

export interface Port {
  readonly out: FrameWriter;
  /** Sends what was written, at the end of this turn. */
  soon(): void;
  /** Sends what was written before user code gets to run again. */
  now(): void;
  /** What the host's main thread sees of this worker. */
  readonly progress: Progress;
}

interface Start {
  progress: Int32Array<SharedArrayBuffer>;
  path: string;
}

const readBytes = 256 * 1024;
const atTurnEnd = setImmediate;

/**
 * Takes the worker's channels for the platform alone: the first message brings the path of the socket, and the caller
 * removes `postMessage` and its like from the global scope before user code loads.
 */
export async function openPort(onFrame: (frame: Frame) => void): Promise<Port> {
  const { progress, path } = await firstMessage();
  const socket = await Deno.connect({ transport: "unix", path });
  const out = new FrameWriter();
  const write = openWriter(socket);
  let scheduled = false;
  let writing = false;

  async function finish(bytes: Bytes, begun: Promise<number>): Promise<void> {
    writing = true;
    try {
      for (let at = await begun; at < bytes.length;) at += await write(bytes.subarray(at)).done;
    } catch {
      // The server is gone: the main thread ends the process, and until then nothing more is tried.
      return;
    }
    writing = false;
    out.sent();
    now();
  }
  const now = () => {
    scheduled = false;
    while (!writing && out.length > 0) {
      const bytes = out.take();
      const { taken, done } = write(bytes);
      if (taken < bytes.length) void finish(bytes, done);
      else out.sent();
    }
  };
  // Ends when the server is gone; the main thread then ends the process.
  void new FrameReader().readAll(socket, new Uint8Array(readBytes), onFrame);
  return {
    out,
    now,
    soon() {
      if (scheduled) return;
      scheduled = true;
      atTurnEnd(now);
    },
    progress: new Progress(progress),
  };
}

interface Writing {
  /** Bytes that the kernel took at once. */
  taken: number;
  done: Promise<number>;
}

/**
 * Most writes are over as they are made, but promises tell that only after the turn, and a handler may block before: a
 * second line that it printed would never get out. The runtime's own core lets it be seen at once.
 */
function openWriter(socket: Deno.UnixConn): (bytes: Bytes) => Writing {
  const rid = (socket as unknown as Record<symbol, number>)[core.internalRidSymbol] as number;
  return (bytes) => {
    const done = core.write(rid, bytes);
    const [, value] = core.getPromiseDetails(done);
    return { taken: typeof value === "number" ? value : 0, done };
  };
}

function firstMessage(): Promise<Start> {
  return new Promise((resolve) => {
    globalThis.addEventListener("message", (event) => {
      event.stopImmediatePropagation();
      resolve((event as MessageEvent<Start>).data);
    });
  });
}
