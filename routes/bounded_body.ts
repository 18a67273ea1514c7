// The body of a call on its way to a function: small ones whole, others as a stream that is cut at the limit.

import { tooLarge } from "./body.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bodies up to this size are read whole: one message instead of a stream. */
const wholeBytes = 1024 * 1024;

/** The body, if there is one; a stream of it fails with PAYLOAD_TOO_LARGE where it passes the limit. */
export async function boundedBody(
  request: Request,
  limit: number,
): Promise<Bytes | ReadableStream<Bytes> | null> {
  if (request.body === null || request.method === "GET" || request.method === "HEAD") return null;
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) <= wholeBytes) {
    const body = await request.bytes() as Bytes;
    return body.length === 0 ? null : body;
  }
  const reader = (request.body as ReadableStream<Bytes>).getReader();
  // Neither header: of HTTP/1.1 that says that there is no body, HTTP/2 says it only by the end of the stream.
  const unsaid = declared === null && !request.headers.has("transfer-encoding");
  const first = unsaid ? await firstBytes(reader) : new Uint8Array(0);
  return first === null ? null : boundedStream(reader, first, limit);
}

async function firstBytes(reader: ReadableStreamDefaultReader<Bytes>): Promise<Bytes | null> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return null;
    if (value.length > 0) return value;
  }
}

function boundedStream(
  reader: ReadableStreamDefaultReader<Bytes>,
  first: Bytes,
  limit: number,
): ReadableStream<Bytes> {
  let length = first.length;
  return new ReadableStream<Bytes>({
    start(controller) {
      if (length > 0) controller.enqueue(first);
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      length += value.length;
      if (length <= limit) return controller.enqueue(value);
      const error = tooLarge(length, limit);
      controller.error(error);
      await reader.cancel(error);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
