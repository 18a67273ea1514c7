// Bodies flow in both directions with credit: at most `bodyWindowBytes` are under way until the reader has read.

import { type Bytes, FrameKind } from "../protocol/frames.ts";
import { bodyChunkBytes, bodyWindowBytes } from "../protocol/messages.ts";
import type { Port } from "./port.ts";
import { exceeded, limits } from "./quotas.ts";

/** The body of a request that arrives in chunks. */
export interface IncomingBody {
  readonly stream: ReadableStream<Bytes>;
  chunk(bytes: Bytes): void;
  end(): void;
  broke(reason: string): void;
}

export function createIncomingBody(port: Port, id: number): IncomingBody {
  const waiting: Bytes[] = [];
  let state: "open" | "ended" | "broken" = "open";
  let wake = () => {};
  let controller: ReadableStreamDefaultController<Bytes>;
  let cancelled = false;
  const grant = (count: number) => {
    const credit = new Uint8Array(4);
    new DataView(credit.buffer).setUint32(0, count, true);
    port.out.bytes(FrameKind.RequestCredit, id, credit);
    port.soon();
  };
  const stream = new ReadableStream<Bytes>({
    start: (given) => void (controller = given),
    async pull() {
      while (waiting.length === 0 && state === "open") {
        await new Promise<void>((resolve) => (wake = resolve));
      }
      const next = waiting.shift();
      if (next === undefined) return state === "ended" ? controller.close() : undefined;
      grant(next.length);
      controller.enqueue(next);
    },
    cancel() {
      cancelled = true;
      // What was not read is dropped, and the sender may finish.
      grant(waiting.splice(0).reduce((sum, bytes) => sum + bytes.length, 0));
    },
  }, { highWaterMark: 0 });
  return {
    stream,
    chunk(bytes) {
      if (cancelled) return grant(bytes.length);
      waiting.push(bytes.slice());
      wake();
    },
    end() {
      state = "ended";
      wake();
    },
    broke(reason) {
      state = "broken";
      if (!cancelled) controller.error(new TypeError(reason));
      wake();
    },
  };
}

/** The body of an answer on its way out; `sent` settles when the last byte is written, or the reader is gone. */
export interface OutgoingBody {
  readonly sent: Promise<void>;
  credit(count: number): void;
  cancel(reason: unknown): void;
}

/** @throws {Error} through `sent`, when the stream fails, yields what is not bytes, or passes the limit. */
export function sendBody(port: Port, id: number, stream: ReadableStream<Uint8Array>): OutgoingBody {
  const reader = stream.getReader();
  let credit = bodyWindowBytes;
  let length = 0;
  let cancelled = false;
  let wake = () => {};

  async function send(): Promise<void> {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || cancelled) break;
      if (!ArrayBuffer.isView(value)) {
        throw new TypeError("The body's stream yielded something other than a Uint8Array");
      }
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      length += bytes.length;
      if (length > limits.responseBytes) {
        const error = exceeded("responseBytes", length);
        reader.cancel(error).catch(() => {});
        throw error;
      }
      for (let at = 0; at < bytes.length;) {
        while (credit <= 0 && !cancelled) await new Promise<void>((resolve) => (wake = resolve));
        if (cancelled) return;
        const chunk = bytes.subarray(at, at + bodyChunkBytes);
        port.out.bytes(FrameKind.ResponseChunk, id, chunk);
        port.soon();
        credit -= chunk.length;
        at += chunk.length;
      }
    }
    if (!cancelled) {
      port.out.bytes(FrameKind.ResponseEnd, id);
      port.soon();
    }
  }

  return {
    sent: send(),
    credit(count) {
      credit += count;
      wake();
    },
    cancel(reason) {
      cancelled = true;
      reader.cancel(reason).catch(() => {});
      wake();
    },
  };
}
