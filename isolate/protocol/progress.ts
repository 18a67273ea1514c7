// What a worker shows of itself in shared memory, where the main thread of its host reads it however busy the worker is.
// Two words: how many invocations it has begun, with a bit that keeps it from beginning more; and the invocation whose
// code runs at this moment.

import type { ReportAnswer } from "./messages.ts";

// Taken before user code could replace them, and be handed the memory as an argument.
const { add, and, load, or, store } = Atomics;
const sealBit = 1 << 30;
/** A storm of microtasks shows no holder between two of them, for a few ns each. */
const looks = 1000;

export class Progress {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#words = words;
  }

  /** Counts an invocation; "sealed": it runs elsewhere by now. */
  begin(): "begun" | "sealed" {
    return (add(this.#words, 0, 1) & sealBit) === 0 ? "begun" : "sealed";
  }

  /** The invocation whose code runs from now on; 0: none's. */
  hold(id: number): void {
    store(this.#words, 1, id);
  }

  unseal(): void {
    and(this.#words, 0, ~sealBit);
  }

  /** For the main thread: from this moment on the worker begins nothing. A worker that nobody holds waits for a CPU. */
  seal(when: "always" | "held"): ReportAnswer {
    let holder = 0;
    for (let look = 0; look < looks && holder === 0; look++) holder = load(this.#words, 1);
    if (when === "held" && holder === 0) return { begun: null, holder };
    return { begun: or(this.#words, 0, sealBit) & ~sealBit, holder };
  }
}

/** Room for one worker's progress. */
export function progressWords(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(8));
}
