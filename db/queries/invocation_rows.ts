// Rows of the invocation log as COPY takes them: text, written down as each run ends. Bytes of one buffer cost the
// garbage collector nothing, where thousands of rows that wait for their batch would be copied again and again.

import { isoTime } from "../../core/iso_time.ts";
import type { FunctionId } from "../../core/ids.ts";
import type { InvocationRow } from "./invocations.ts";

export const invocationColumns = [
  "id",
  "app_id",
  "function_id",
  "version_id",
  "trigger_type",
  "method",
  "path",
  "status",
  "status_code",
  "duration_ms",
  "cpu_ms",
  "memory_used_mb",
  "request_bytes",
  "response_bytes",
  "error_message",
  "error_stack",
  "console_logs",
  "user_id",
  "caller_type",
  "source_event_id",
  "attempt_count",
  "while_paused",
  "started_at",
  "completed_at",
] as const satisfies (keyof InvocationRow)[];

/** How often a function was called, and how that went. */
export interface CallCount {
  calls: number;
  errors: number;
  durationMs: number;
  last: { started_at: Date; status_code: number | null };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const textColumns = ["error_message", "error_stack", "console_logs"] as const;

export class InvocationRows {
  readonly counts = new Map<FunctionId, CallCount>();
  #buffer = new Uint8Array(64 * 1024);
  #length = 0;
  #count = 0;

  static of(rows: readonly InvocationRow[]): InvocationRows {
    const made = new InvocationRows();
    for (const row of rows) made.add(row);
    return made;
  }

  get count(): number {
    return this.#count;
  }

  /** The rows in the text form of COPY; to be read before the next `add`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  add(row: InvocationRow): void {
    this.#append(copyLine(row));
    if (row.status === "completed" || row.status === "failed") this.#countCall(row);
  }

  #append(line: string): void {
    // A UTF-16 unit is at most three bytes of UTF-8.
    if (this.#buffer.length - this.#length < line.length * 3) {
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + line.length * 3));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#length += encoder.encodeInto(line, this.#buffer.subarray(this.#length)).written;
    this.#count++;
  }

  #countCall(row: InvocationRow): void {
    let sum = this.counts.get(row.function_id);
    if (sum === undefined) {
      sum = { calls: 0, errors: 0, durationMs: 0, last: row };
      this.counts.set(row.function_id, sum);
    }
    sum.calls++;
    sum.durationMs += row.duration_ms;
    if ((row.status_code ?? 0) >= 400) sum.errors++;
    const { started_at, status_code } = row;
    if (started_at >= sum.last.started_at) sum.last = { started_at, status_code };
  }

  /** Each row by itself, without what the function said: for when PostgreSQL refuses one of them. */
  *singly(): Generator<InvocationRows> {
    const places = textColumns.map((name) => [invocationColumns.indexOf(name), name] as const);
    const functionId = invocationColumns.indexOf("function_id");
    const counts = new Map(this.counts);
    for (const line of decoder.decode(this.bytes).split("\n").slice(0, -1)) {
      const values = line.split("\t");
      for (const [at, name] of places) {
        values[at] = name === "console_logs"
          ? "[]"
          : name === "error_message" && values[at] !== "\\N"
          ? "[cannot be stored]"
          : "\\N";
      }
      const single = new InvocationRows();
      single.#append(`${values.join("\t")}\n`);
      // The counts of all go with the first row of each function.
      const id = values[functionId] as FunctionId;
      const count = counts.get(id);
      if (count !== undefined) single.counts.set(id, count);
      counts.delete(id);
      yield single;
    }
  }
}

/** In the order of `invocationColumns`; spelled out, since this is done for every call. */
function copyLine(row: InvocationRow): string {
  const logs = row.console_logs.length === 0 ? "[]" : text(JSON.stringify(row.console_logs.map(wellFormed)));
  return `${row.id}\t${row.app_id}\t${row.function_id}\t${row.version_id}\t${text(row.trigger_type)}\t${
    text(row.method)
  }\t${text(row.path)}\t${row.status}\t${
    row.status_code ?? "\\N"
  }\t${row.duration_ms}\t${row.cpu_ms}\t${row.memory_used_mb}\t${row.request_bytes}\t${row.response_bytes}\t${
    text(row.error_message)
  }\t${text(row.error_stack)}\t${logs}\t${text(row.user_id)}\t${text(row.caller_type)}\t${
    text(row.source_event_id)
  }\t${row.attempt_count}\t${row.while_paused}\t${isoTime(row.started_at.getTime())}\t${
    isoTime(row.completed_at.getTime())
  }\n`;
}

const special = /[\\\n\r\t\0\ud800-\udfff]/;
const escapes: Record<string, string> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  // PostgreSQL stores no NUL in text.
  "\0": "\u{fffd}",
};

function text(value: string | null): string {
  if (value === null) return "\\N";
  if (!special.test(value)) return value;
  return value.toWellFormed().replace(/[\\\n\r\t\0]/g, (letter) => escapes[letter] as string);
}

/** JSON would carry a NUL or a lone surrogate past `text`, as an escape that PostgreSQL does not take. */
function wellFormed<Entry extends { message: string }>(entry: Entry): Entry {
  if (!special.test(entry.message)) return entry;
  return { ...entry, message: entry.message.toWellFormed().replaceAll("\0", "\u{fffd}") };
}
