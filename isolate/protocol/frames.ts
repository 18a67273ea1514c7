// The bytes between the server and an isolate host: frames of `u32 length | u8 kind | u32 id | payload`, little-endian,
// where length counts what follows it. The id is an invocation's, or a call's.

import { releaseBody } from "../../core/invocation.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export const frameHeadBytes = 9;

/** Longest frame either side sends; bodies are cut into chunks below it. */
export const maxFrameBytes = 32 * 1024 * 1024;

export const FrameKind = {
  // Answered by the host's main thread, which user code cannot hold up.
  Report: 1,
  ReportAnswer: 2,
  WorkerFailed: 3,
  // Server to worker.
  Load: 16,
  Env: 17,
  Invoke: 18,
  RequestChunk: 19,
  RequestEnd: 20,
  RequestBroken: 21,
  Cancel: 22,
  ResponseCredit: 23,
  Answer: 24,
  Ping: 25,
  Unseal: 26,
  // Of the main thread, once worker and process are closed off.
  Started: 32,
  // Worker to server.
  Loaded: 33,
  LoadFailed: 34,
  Head: 35,
  ResponseChunk: 36,
  ResponseEnd: 37,
  ResponseBroken: 38,
  Threw: 39,
  RequestCredit: 40,
  Call: 41,
  Console: 42,
  Settled: 43,
  Exited: 44,
  Pong: 45,
  /** Head and Settled in one. */
  Finished: 46,
} as const;

export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export interface Frame {
  kind: number;
  id: number;
  payload: Bytes;
}

/** A writer's buffer that has grown beyond this is given away with its content. */
const keptBytes = 256 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const empty = new Uint8Array(0);

/** A tail longer than this is sent from where it is, without being copied. */
const longTailBytes = 64 * 1024;

/** Collects frames, so that what is sent together costs one write; long tails stay where they are. */
export class FrameWriter {
  /** What is complete and goes before the buffer's content: frames, and long tails between them. */
  #ready: { bytes: Bytes; then: "keep" | "release" }[] = [];
  /** A tail that was taken, and that nobody needs once it is sent. */
  #lastTail: Bytes | null = null;
  #buffer: Bytes;
  #view: DataView<ArrayBuffer>;
  #length = 0;
  readonly #initialBytes: number;

  constructor(initialBytes = 8 * 1024) {
    this.#initialBytes = initialBytes;
    this.#buffer = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#ready.reduce((sum, { bytes }) => sum + bytes.length, this.#length);
  }

  bytes(kind: FrameKind, id: number, payload: Uint8Array = empty): void {
    const start = this.#begin(kind, id, payload.length);
    this.#buffer.set(payload, start);
    this.#end(start + payload.length);
  }

  json(kind: FrameKind, id: number, value: unknown): void {
    this.#text(kind, id, JSON.stringify(value), empty);
  }

  /** A frame of `u32 head length | head as JSON | tail`. A long tail must not change until it is sent. */
  jsonWithTail(
    kind: FrameKind,
    id: number,
    head: unknown,
    tail: Bytes,
    { then = "keep" }: { then?: "keep" | "release" } = {},
  ): void {
    if (tail.length <= longTailBytes) return this.#text(kind, id, JSON.stringify(head), tail, true);
    const frame = this.#length;
    this.#text(kind, id, JSON.stringify(head), empty, true);
    this.#view.setUint32(frame, this.#length - frame - 4 + tail.length, true);
    this.#ready.push({ bytes: this.#buffer.slice(0, this.#length), then: "keep" }, { bytes: tail, then });
    this.#length = 0;
  }

  #text(kind: FrameKind, id: number, text: string, tail: Uint8Array, prefixed = false): void {
    if (text.length + tail.length > maxFrameBytes) throw tooLong(text.length + tail.length);
    const prefix = prefixed ? 4 : 0;
    // A UTF-16 unit is at most three bytes of UTF-8.
    const start = this.#begin(kind, id, prefix + text.length * 3 + tail.length);
    const { written } = encoder.encodeInto(text, this.#buffer.subarray(start + prefix));
    if (prefixed) this.#view.setUint32(start, written, true);
    this.#buffer.set(tail, start + prefix + written);
    this.#end(start + prefix + written + tail.length);
  }

  #begin(kind: FrameKind, id: number, atMost: number): number {
    const needed = this.#length + frameHeadBytes + atMost;
    if (needed > this.#buffer.length) this.#grow(needed);
    this.#view.setUint8(this.#length + 4, kind);
    this.#view.setUint32(this.#length + 5, id, true);
    return this.#length + frameHeadBytes;
  }

  /** @throws {FrameError} and forgets the frame, which would end the stream for its reader. */
  #end(end: number): void {
    if (end - this.#length - 4 > maxFrameBytes) throw tooLong(end - this.#length - 4);
    this.#view.setUint32(this.#length, end - this.#length - 4, true);
    this.#length = end;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** To be told that what `take` gave last is sent. */
  sent(): void {
    if (this.#lastTail !== null) releaseBody(this.#lastTail);
    this.#lastTail = null;
  }

  /** The next bytes to send, in a buffer that is the caller's own; to be called until `length` is 0. */
  take(): Bytes {
    const first = this.#ready.shift();
    this.#lastTail = first?.then === "release" ? first.bytes : null;
    if (first !== undefined) return first.bytes;
    const large = this.#length > keptBytes;
    // A copy of its own size costs less than a new large buffer each time; what is large already is handed over.
    const taken = large ? this.#buffer.subarray(0, this.#length) : this.#buffer.slice(0, this.#length);
    if (large) {
      this.#buffer = new Uint8Array(this.#initialBytes);
      this.#view = new DataView(this.#buffer.buffer);
    }
    this.#length = 0;
    return taken;
  }
}

/** Where bytes come from: a socket. */
export interface ByteSource {
  read(into: Bytes): Promise<number | null>;
}

/** A frame's length was out of bounds: the stream cannot be read any further. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/**
 * Cuts a byte stream into whole frames. `push` answers those that are complete; the rest waits for more bytes. The
 * payloads are views into what was pushed, or into a buffer of the reader's own that is not used again.
 */
export class FrameReader {
  #rest: Bytes = empty;
  /** Bytes of `#rest` that are filled; it may be larger, to hold the frame that is arriving. */
  #filled = 0;

  /** Reads from `source` until it ends. `buffer` is used again and again: frames never point into it. */
  async readAll(source: ByteSource, buffer: Bytes, onFrame: (frame: Frame) => void): Promise<void> {
    for (;;) {
      // The rest of a long frame is read to where it belongs.
      const gap = this.#rest.subarray(this.#filled);
      const count = await source.read(gap.length > 0 ? gap : buffer);
      if (count === null) return;
      if (gap.length === 0) this.push(buffer.slice(0, count), onFrame);
      else if (count === gap.length) this.push(this.#takeRest(), onFrame);
      else this.#filled += count;
    }
  }

  #takeRest(): Bytes {
    const rest = this.#rest;
    this.#rest = empty;
    this.#filled = 0;
    return rest;
  }

  push(chunk: Bytes, onFrame: (frame: Frame) => void): void {
    const bytes = this.#join(chunk);
    if (bytes === undefined) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // Whoever takes a frame that is alone in its buffer may release it.
    const end = bytes.length;
    let at = 0;
    while (end - at >= 4) {
      const length = frameLength(view, at);
      if (end - at - 4 < length) break;
      onFrame({
        kind: view.getUint8(at + 4),
        id: view.getUint32(at + 5, true),
        payload: bytes.subarray(at + frameHeadBytes, at + 4 + length),
      });
      at += 4 + length;
    }
    if (at < end) this.#keep(bytes.subarray(at));
  }

  /** The waiting bytes and the chunk together; `undefined` while the arriving frame is still short of its end. */
  #join(chunk: Bytes): Bytes | undefined {
    if (this.#filled === 0) return chunk;
    if (this.#filled + chunk.length > this.#rest.length) {
      const joined = new Uint8Array(Math.max(this.#filled + chunk.length, this.#rest.length));
      joined.set(this.#rest.subarray(0, this.#filled));
      this.#rest = joined;
    }
    this.#rest.set(chunk, this.#filled);
    this.#filled += chunk.length;
    const bytes = this.#rest.subarray(0, this.#filled);
    if (bytes.length < 4) return undefined;
    const length = frameLength(new DataView(bytes.buffer, bytes.byteOffset), 0);
    if (bytes.length < 4 + length) return undefined;
    this.#rest = empty;
    this.#filled = 0;
    return bytes;
  }

  #keep(rest: Bytes): void {
    if (rest.length === 0) return;
    let size = Math.max(rest.length, 4);
    if (rest.length >= 4) {
      size = Math.max(size, 4 + frameLength(new DataView(rest.buffer, rest.byteOffset), 0));
    }
    this.#rest = new Uint8Array(size);
    this.#rest.set(rest);
    this.#filled = rest.length;
  }
}

function frameLength(view: DataView<ArrayBuffer>, at: number): number {
  const length = view.getUint32(at, true);
  if (length < frameHeadBytes - 4 || length > maxFrameBytes) {
    throw tooLong(length);
  }
  return length;
}

function tooLong(length: number): FrameError {
  return new FrameError(`A frame is ${length} bytes long: at most ${maxFrameBytes} are sent`);
}

export function decodeJson<Value>(payload: Uint8Array): Value {
  return JSON.parse(decoder.decode(payload)) as Value;
}

/** Reads what `jsonWithTail` wrote. */
export function decodeJsonWithTail<Head>(payload: Bytes): { head: Head; tail: Bytes } {
  const headLength = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0, true);
  return {
    head: decodeJson<Head>(payload.subarray(4, 4 + headLength)),
    tail: payload.subarray(4 + headLength),
  };
}
