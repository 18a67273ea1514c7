// The body of a call on its way to a function: small ones whole, others as a stream that is cut at the limit.

import { tooLarge } from "./body.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bodies up to this size are read whole: one message instead of a stream. */
const wholeBytes = 64 * 1024;

export interface BoundedBody {
  body: Bytes | ReadableStream<Bytes> | null;
  /** Rejects with PAYLOAD_TOO_LARGE when a stream passes the limit; `null` when that cannot happen. */
  exceeded: Promise<never> | null;
}

export const noBody: BoundedBody = { body: null, exceeded: null };

export async function boundedBody(request: Request, limit: number): Promise<BoundedBody> {
  if (request.body === null || request.method === "GET" || request.method === "HEAD") {
    return noBody;
  }
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) <= wholeBytes) {
    const body = await request.bytes() as Bytes;
    return { body: body.length === 0 ? null : body, exceeded: null };
  }
  let stream = request.body as ReadableStream<Bytes>;
  if (declared === null && !request.headers.has("transfer-encoding")) {
    // Of HTTP/1.1 that says that there is none; HTTP/2 says it only by the end of the stream.
    const begun = await firstChunk(stream);
    if (begun === null) return { body: null, exceeded: null };
    stream = begun;
  }
  const { promise: exceeded, reject } = Promise.withResolvers<never>();
  exceeded.catch(() => {});
  let length = 0;
  const counted = new TransformStream<Bytes, Bytes>({
    transform(chunk, controller) {
      length += chunk.length;
      if (length <= limit) return controller.enqueue(chunk);
      const error = tooLarge(length, limit);
      reject(error);
      controller.error(error);
    },
  });
  return { body: stream.pipeThrough(counted), exceeded };
}

/** The same stream once its first bytes are there; `null` when it ended before. */
async function firstChunk(stream: ReadableStream<Bytes>): Promise<ReadableStream<Bytes> | null> {
  const reader = stream.getReader();
  let first: Bytes;
  do {
    const { done, value } = await reader.read();
    if (done) return null;
    first = value;
  } while (first.length === 0);
  return new ReadableStream<Bytes>({
    start: (controller) => controller.enqueue(first),
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
