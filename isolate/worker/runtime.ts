// The runtime's own parts that the worker's modules use, taken before user code could get at them or replace them.

export interface RuntimeCore {
  readonly internalRidSymbol: symbol;
  write(rid: number, bytes: Uint8Array): Promise<number>;
  /** Its state, and its value once it is settled. */
  getPromiseDetails(promise: Promise<unknown>): [state: number, value: unknown];
  /** What this isolate has open: kinds by their ids. */
  resources(): Record<string, string>;
}

const { internal } = Deno as unknown as { internal: symbol };

export const { core } = (Deno as unknown as Record<symbol, { core: RuntimeCore }>)[internal] as {
  core: RuntimeCore;
};

/** Collects garbage. Set by `--expose-gc`, and not for user code. */
export const { gc } = globalThis as {
  gc?: (options?: { type: string; execution: string; flavor: string }) => void;
};

export const { apply, construct, ownKeys } = Reflect;

const { then } = Promise.prototype;

/** `promise.then(…)`, whatever user code made of `then`. */
export function settled<Value>(
  promise: Promise<Value>,
  done: ((value: Value) => Value) | undefined,
  failed: (thrown: unknown) => never,
): Promise<Value> {
  return apply(then, promise, [done, failed]);
}

/**
 * The same object, with its class's methods as its own: user code that replaces those of the class does not reach it. Only
 * while no user code is loaded.
 */
export function detached<Value extends object>(value: Value): Value {
  for (
    let from = Object.getPrototypeOf(value);
    from !== Object.prototype;
    from = Object.getPrototypeOf(from)
  ) {
    for (const name of ownKeys(from)) {
      if (name === "constructor" || Object.hasOwn(value, name)) continue;
      Object.defineProperty(value, name, Object.getOwnPropertyDescriptor(from, name) as PropertyDescriptor);
    }
  }
  return value;
}

/** Puts `make(original)` in the place of a method. */
export function replaceMethod<Method>(
  holder: object,
  name: PropertyKey,
  make: (original: Method) => Method,
): void {
  const found = Object.getOwnPropertyDescriptor(holder, name);
  if (typeof found?.value !== "function") {
    throw new Error(`The runtime has no ${String(name)} where the sandbox replaces it`);
  }
  Object.defineProperty(holder, name, { ...found, value: make(found.value as Method) });
}
