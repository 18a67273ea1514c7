// The worker's end of its socket to the server. What is sent within one turn of the event loop goes as one write, unless
// it must not wait: a handler may block right after it printed.

import { setImmediate } from "node:timers";
import { type Bytes, type Frame, FrameReader, FrameWriter } from "../protocol/frames.ts";

export interface Port {
  readonly out: FrameWriter;
  /** Sends what was written, at the end of this turn. */
  soon(): void;
  /** Sends what was written before user code gets to run again. */
  now(): void;
  /** Counts an invocation as begun, where the host's main thread sees it. */
  begin(): void;
}

interface Start {
  begun: Int32Array;
  path: string;
}

const readBytes = 64 * 1024;
const atTurnEnd = setImmediate;

/**
 * Takes the worker's channels for the platform alone: the first message brings the path of the socket, and the caller
 * removes `postMessage` and its like from the global scope before user code loads.
 */
export async function openPort(onFrame: (frame: Frame) => void): Promise<Port> {
  const { begun, path } = await firstMessage();
  const socket = await Deno.connect({ transport: "unix", path });
  const out = new FrameWriter();
  let scheduled = false;
  let writing = false;

  async function write(): Promise<void> {
    writing = true;
    try {
      while (out.length > 0) {
        const bytes = out.take();
        for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
      }
    } finally {
      writing = false;
    }
  }
  const now = () => {
    scheduled = false;
    // The first attempt of a write is made at once, so that what a blocking handler printed before is out.
    if (!writing && out.length > 0) void write();
  };
  void read(socket, onFrame);
  return {
    out,
    now,
    soon() {
      if (scheduled) return;
      scheduled = true;
      atTurnEnd(now);
    },
    begin: () => void Atomics.add(begun, 0, 1),
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

/** Ends when the server is gone; the main thread then ends the process. */
async function read(socket: Deno.UnixConn, onFrame: (frame: Frame) => void): Promise<void> {
  const reader = new FrameReader();
  const buffer: Bytes = new Uint8Array(readBytes);
  for (;;) {
    const count = await socket.read(buffer);
    if (count === null) return;
    reader.push(buffer.slice(0, count), onFrame);
  }
}
