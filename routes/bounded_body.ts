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

export async function boundedBody(request: Request, limit: number): Promise<BoundedBody> {
  if (request.body === null || request.method === "GET" || request.method === "HEAD") {
    return { body: null, exceeded: null };
  }
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) <= wholeBytes) {
    const body = await request.bytes() as Bytes;
    return { body: body.length === 0 ? null : body, exceeded: null };
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
  return { body: (request.body as ReadableStream<Bytes>).pipeThrough(counted), exceeded };
}
