// How a function learns that the kernel or the platform gave it no more memory: by an error like any other.

/** Whether what a function threw is the platform's refusal of memory, and no error of its own. */
export function isAllocationFailure({ name, message }: { name: string; message: string }): boolean {
  return name === "RangeError" &&
    /^(Array buffer allocation failed|WebAssembly\.Memory(\.grow)?\(\): (could not allocate|Unable to grow|failed to grow).*)/i
      .test(message);
}
