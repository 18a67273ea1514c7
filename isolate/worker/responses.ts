// Knows which Responses were made from nothing, a string, bytes or JSON, so that the commonest answers are sent whole
// instead of being read as streams. `Response` behaves as it always does.

import type { Bytes } from "../protocol/frames.ts";

type Kept = { kind: "none" } | { kind: "text"; text: string } | { kind: "bytes"; bytes: Bytes } | {
  kind: "held";
};

class Returned {
  constructor(response: Response) {
    return response as unknown as Returned;
  }
}

/** A private field of somebody else's object: seen by nobody, and cheaper than a WeakMap. */
class KeptBody extends Returned {
  #kept: Kept | undefined;

  static set(response: Response, kept: Kept | undefined): void {
    const body: KeptBody = #kept in response ? response as unknown as KeptBody : new KeptBody(response);
    body.#kept = kept;
  }

  static get(response: Response): Kept | undefined {
    return #kept in response ? (response as unknown as KeptBody).#kept : undefined;
  }
}

const none: Kept = { kind: "none" };
const held: Kept = { kind: "held" };
const encoder = new TextEncoder();
const encode = encoder.encode.bind(encoder);
const { stringify } = JSON;

/**
 * The whole body, if it was complete when the response was made and nobody has touched it since; `null` when there is
 * none. `undefined`: the response must be read as a stream.
 */
export function completeBody(response: Response): Promise<Bytes> | Bytes | null | undefined {
  const body = KeptBody.get(response);
  if (body === undefined || response.bodyUsed) return undefined;
  switch (body.kind) {
    case "none":
      return null;
    case "text":
      return encode(body.text) as Bytes;
    case "bytes":
      return body.bytes;
    case "held":
      return response.bytes() as Promise<Bytes>;
  }
}

function bodyOf(given: unknown): Kept | undefined {
  if (given === null || given === undefined) return none;
  if (typeof given === "string") return { kind: "text", text: given };
  return ArrayBuffer.isView(given) || given instanceof ArrayBuffer ? held : undefined;
}

/** Replaces the global `Response` by itself, watched. */
export function watchResponses(): void {
  const native = globalThis.Response;
  const json = (data: unknown, init?: ResponseInit): Response => {
    const text = stringify(data);
    // What JSON has no form for: the error is the native one.
    if (text === undefined) return native.json(data, init);
    const bytes = encode(text) as Bytes;
    const response = new native(bytes, init);
    if (!response.headers.has("content-type")) response.headers.set("content-type", "application/json");
    KeptBody.set(response, { kind: "bytes", bytes });
    return response;
  };
  const watched: typeof Response = new Proxy(native, {
    construct(target, given, newTarget): Response {
      const response: Response = Reflect.construct(target, given, newTarget === watched ? target : newTarget);
      const body = bodyOf(given[0]);
      if (body !== undefined) KeptBody.set(response, body);
      return response;
    },
    get: (target, name) => name === "json" ? json : Reflect.get(target, name),
  });
  native.prototype.constructor = watched;
  // Whoever takes the stream may read or lock it; and merely asking for it would make one.
  const body = Object.getOwnPropertyDescriptor(native.prototype, "body") as { get(this: Response): unknown };
  Object.defineProperty(native.prototype, "body", {
    ...body,
    get(this: Response) {
      KeptBody.set(this, undefined);
      return body.get.call(this);
    },
  });
  Object.defineProperty(globalThis, "Response", {
    value: watched,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
