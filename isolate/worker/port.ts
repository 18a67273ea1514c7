// The worker's end of the channel to the server. What is sent within one turn of the event loop goes as one message,
// unless it must not wait: a handler may block right after it printed.

import { setImmediate } from "node:timers";
import { type Frame, FrameReader, FrameWriter } from "../protocol/frames.ts";

export interface Port {
  readonly out: FrameWriter;
  /** Sends what was written, at the end of this turn. */
  soon(): void;
  /** Sends what was written before user code gets to run again. */
  now(): void;
  /** Counts an invocation as begun, where the host's main thread sees it. */
  begin(): void;
}

const atTurnEnd = setImmediate;

type Post = (message: Uint8Array, transfer: Transferable[]) => void;

/**
 * Takes the worker's message channel for the platform alone: `postMessage` and `onmessage` are captured here, and
 * removed from the global scope by the caller before user code loads.
 */
export function openPort(onFrame: (frame: Frame) => void): Promise<Port> {
  const scope = globalThis as unknown as {
    postMessage: Post;
    addEventListener: typeof addEventListener;
  };
  const post: Post = scope.postMessage.bind(globalThis);
  const out = new FrameWriter();
  const reader = new FrameReader();
  let begun: Int32Array;
  let scheduled = false;

  const now = () => {
    scheduled = false;
    if (out.length === 0) return;
    const bytes = out.take();
    post(bytes, [bytes.buffer]);
  };
  const port: Port = {
    out,
    now,
    soon() {
      if (scheduled) return;
      scheduled = true;
      atTurnEnd(now);
    },
    begin: () => void Atomics.add(begun, 0, 1),
  };

  return new Promise((resolve) => {
    scope.addEventListener("message", (event) => {
      event.stopImmediatePropagation();
      const data = (event as MessageEvent).data;
      if (data instanceof Int32Array) {
        begun = data;
        resolve(port);
        return;
      }
      reader.push(data, onFrame);
    });
  });
}
