// Rows on their way from PostgreSQL to a worker, as the bytes that PostgreSQL sent: for each value an i32 length (-1 is
// NULL) and its text form. Nothing is decoded until the worker, which knows the column types.

import type { Bytes } from "./frames.ts";

export function packRows(rows: readonly (readonly (Uint8Array | null)[])[]): Bytes {
  let size = 0;
  for (const row of rows) for (const value of row) size += 4 + (value === null ? 0 : value.length);
  const packed = new Uint8Array(size);
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const row of rows) {
    for (const value of row) {
      view.setInt32(at, value === null ? -1 : value.length, true);
      at += 4;
      if (value !== null) {
        packed.set(value, at);
        at += value.length;
      }
    }
  }
  return packed;
}

/** Calls `onValue` for each value in order; `null` is SQL NULL. */
export function unpackRows(packed: Bytes, onValue: (value: Bytes | null) => void): void {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  let at = 0;
  while (at < packed.length) {
    const length = view.getInt32(at, true);
    at += 4;
    if (length < 0) onValue(null);
    else {
      onValue(packed.subarray(at, at + length));
      at += length;
    }
  }
}
