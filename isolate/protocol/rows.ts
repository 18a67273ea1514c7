// Rows on their way from PostgreSQL to a worker, as the DataRow messages that PostgreSQL sent: a letter, a length, the
// number of values, and for each value an i32 length (-1 is NULL) and its text form, big-endian. Nothing is decoded until
// the worker, which knows the column types.

import type { Bytes } from "./frames.ts";

/** The letter, the length and the number of values. */
const headBytes = 7;

/** Calls `onValue` for each value in order; `null` is SQL NULL. */
export function unpackRows(rows: Bytes, onValue: (value: Bytes | null) => void): void {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  for (let at = 0; at < rows.length;) {
    const values = view.getUint16(at + 5);
    at += headBytes;
    for (let count = 0; count < values; count++) {
      const length = view.getInt32(at);
      at += 4;
      onValue(length < 0 ? null : rows.subarray(at, at += length));
    }
  }
}
