// The server's side of bodies in chunks, with the same credit as the worker's: at most `bodyWindowBytes` are under way.

import { type Bytes } from "./protocol/frames.ts";
import { bodyChunkBytes, bodyWindowBytes } from "./protocol/messages.ts";

/** Sends the body of a request as the worker reads it. */
export interface RequestSender {
  credit(count: number): void;
  /** Stops reading: the run is over, or its host is gone. */
  stop(): void;
  readonly sentBytes: number;
}

export interface RequestSenderParts {
  stream: ReadableStream<Bytes>;
  onChunk(bytes: Bytes): void;
  onEnd(): void;
  /** The client's body broke off, or is too large. */
  onBroken(error: unknown): void;
}

export function sendRequestBody({ stream, onChunk, onEnd, onBroken }: RequestSenderParts): RequestSender {
  const reader = stream.getReader();
  let credit = bodyWindowBytes;
  let stopped = false;
  let sentBytes = 0;
  let wake = () => {};

  async function send(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (stopped) return;
        if (done) return onEnd();
        sentBytes += value.length;
        for (let at = 0; at < value.length; at += bodyChunkBytes) {
          const chunk = value.subarray(at, at + bodyChunkBytes);
          while (credit <= 0 && !stopped) await new Promise<void>((resolve) => (wake = resolve));
          if (stopped) return;
          credit -= chunk.length;
          onChunk(chunk);
        }
      }
    } catch (error) {
      if (!stopped) onBroken(error);
    }
  }

  void send();
  return {
    get sentBytes() {
      return sentBytes;
    },
    credit(count) {
      credit += count;
      wake();
    },
    stop() {
      stopped = true;
      reader.cancel().catch(() => {});
      wake();
    },
  };
}

/** Receives the body of an answer, and asks for more as the client reads it. */
export interface ResponseReceiver {
  readonly stream: ReadableStream<Bytes>;
  readonly receivedBytes: number;
  chunk(bytes: Bytes): void;
  end(): void;
  broke(error: Error): void;
}

export interface ResponseReceiverParts {
  onCredit(count: number): void;
  onCancel(): void;
}

export function receiveResponseBody({ onCredit, onCancel }: ResponseReceiverParts): ResponseReceiver {
  let controller: ReadableStreamDefaultController<Bytes>;
  let open = true;
  let receivedBytes = 0;
  const waiting: Bytes[] = [];
  // The first ending counts: a body that came whole is whole, whatever becomes of its isolate while it is read.
  let ending: { how: "closed" } | { how: "broken"; error: Error } | null = null;

  const flush = () => {
    while (open && waiting.length > 0 && (controller.desiredSize ?? 0) > 0) {
      const bytes = waiting.shift() as Bytes;
      controller.enqueue(bytes);
      onCredit(bytes.length);
    }
    if (!open || waiting.length > 0 || ending === null) return;
    if (ending.how === "closed") controller.close();
    // An error discards what was enqueued and is not read yet: `pull` comes once it is.
    else if ((controller.desiredSize ?? 0) > 0) controller.error(ending.error);
    else return;
    open = false;
  };
  const stream = new ReadableStream<Bytes>({
    start: (given) => void (controller = given),
    pull: flush,
    cancel() {
      open = false;
      waiting.length = 0;
      onCancel();
    },
  }, { highWaterMark: 1 });
  return {
    stream,
    get receivedBytes() {
      return receivedBytes;
    },
    chunk(bytes) {
      if (!open || ending !== null) return;
      receivedBytes += bytes.length;
      // What a worker sends beyond its credit would be memory of the server's.
      if (waiting.reduce((sum, held) => sum + held.length, bytes.length) > 2 * bodyWindowBytes) {
        open = false;
        controller.error(new Error("The isolate sent more than it was asked for"));
        return onCancel();
      }
      waiting.push(bytes.slice());
      flush();
    },
    end() {
      ending ??= { how: "closed" };
      flush();
    },
    broke(error) {
      // What came before the break is delivered first.
      ending ??= { how: "broken", error };
      flush();
    },
  };
}
