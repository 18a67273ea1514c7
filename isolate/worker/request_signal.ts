// `request.signal` of a handler's request: it aborts when the client goes away, and is made only when it is asked for.

class Returned {
  constructor(request: Request) {
    return request as unknown as Returned;
  }
}

/** A private field of somebody else's object: a property of its own would cost each request more. */
class WatchedRequest extends Returned {
  #signal: () => AbortSignal;

  constructor(request: Request, signal: () => AbortSignal) {
    super(request);
    this.#signal = signal;
  }

  static signal(request: Request): AbortSignal | undefined {
    return #signal in request ? (request as unknown as WatchedRequest).#signal() : undefined;
  }
}

/** From now on `request.signal` is what `signal` answers. */
export function watchSignal(request: Request, signal: () => AbortSignal): void {
  new WatchedRequest(request, signal);
}

/** Has `Request.prototype.signal` look for a signal of the platform's first. */
export function watchRequests(): void {
  const native = Object.getOwnPropertyDescriptor(Request.prototype, "signal") as {
    get(this: Request): AbortSignal;
  };
  Object.defineProperty(Request.prototype, "signal", {
    ...native,
    get(this: Request) {
      return WatchedRequest.signal(this) ?? native.get.call(this);
    },
  });
}
