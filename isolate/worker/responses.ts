// Knows which Responses were made from a string, bytes or JSON, so that the commonest answers are sent whole instead of
// being read as streams. `Response` behaves as it always does.

/** The text a body was made from, or `null` for one that is complete but not kept as text. */
const completeBodies = new WeakMap<Response, string | null>();
const encoder = new TextEncoder();
const encode = encoder.encode.bind(encoder);

/** The whole body, if it was complete when the response was made and nothing has read it; else `undefined`. */
export function completeBody(response: Response): Promise<Uint8Array> | Uint8Array | undefined {
  const text = completeBodies.get(response);
  if (text === undefined || response.bodyUsed) return undefined;
  return text === null ? response.bytes() : encode(text);
}

/** Replaces the global `Response` by itself, watched. */
export function watchResponses(): void {
  const native = globalThis.Response;
  const json = (data: unknown, init?: ResponseInit): Response => {
    const response = native.json(data, init);
    completeBodies.set(response, null);
    return response;
  };
  const watched: typeof Response = new Proxy(native, {
    construct(target, given, newTarget): Response {
      const response: Response = Reflect.construct(target, given, newTarget === watched ? target : newTarget);
      const body = given[0];
      if (typeof body === "string") completeBodies.set(response, body);
      else if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) completeBodies.set(response, null);
      return response;
    },
    get: (target, name) => name === "json" ? json : Reflect.get(target, name),
  });
  native.prototype.constructor = watched;
  Object.defineProperty(globalThis, "Response", {
    value: watched,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
