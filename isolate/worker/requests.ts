// The Request that a handler gets.

import { releaseBody } from "../../core/invocation.ts";
import type { Bytes } from "../protocol/frames.ts";
import type { InvokeHead } from "../protocol/messages.ts";
import type { IncomingBody } from "./bodies.ts";
import { watchSignal } from "./request_signal.ts";

const NativeRequest = Request;

/** `tail`: a body that came whole; `incoming`: one that arrives in chunks; `signal` is asked for when the handler does. */
export function createRequest(
  head: InvokeHead,
  tail: Bytes,
  incoming: IncomingBody | null,
  signal: () => AbortSignal,
): Request {
  const body = head.body === "none" ? null : incoming !== null ? incoming.stream : tail;
  const request = new NativeRequest(head.url, {
    method: head.method,
    headers: head.headers,
    ...(body === null ? {} : { body, ...(head.body === "stream" ? { duplex: "half" } : {}) }),
  });
  // The request has a copy of its own.
  releaseBody(tail);
  watchSignal(request, signal);
  return request;
}
