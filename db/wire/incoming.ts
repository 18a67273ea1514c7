// Cuts the byte stream of a PostgreSQL server into messages and reads their fields. A message is handed out once it is
// whole; its body is a view on memory that is never written again.

const decoder = new TextDecoder();

/** One backend message, where it stands among the bytes that came. */
export class Message {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly start: number;
  readonly end: number;

  constructor(bytes: Uint8Array<ArrayBuffer>, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** Its type letter as a character code. */
  get type(): number {
    return this.bytes[this.start] as number;
  }

  get body(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(this.start + 5, this.end);
  }
}

/** Collects chunks until they make whole messages. */
export class Incoming {
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;
  /** Bytes that must be there before looking again: keeps one huge message from being copied for every chunk of it. */
  #needed = 5;

  /** Messages completed by `chunk`, which the caller must not write to again. */
  *push(chunk: Uint8Array<ArrayBuffer>): Generator<Message> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? chunk : concat(this.#chunks, this.#length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    this.#needed = 5;
    try {
      while (bytes.length - at >= 5) {
        const start = at;
        const size = 1 + view.getInt32(start + 1);
        if (size < 5) throw new Error("The PostgreSQL server sent a message of impossible length");
        if (bytes.length - start < size) {
          this.#needed = size;
          break;
        }
        at += size;
        yield new Message(bytes, start, at);
      }
    } finally {
      // Also when the reader stops half way, as the login does at its last message.
      const rest = bytes.subarray(at);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
    }
  }
}

export function concat(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Reads fields of a message body in order. */
export class Fields {
  readonly #body: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.length);
  }

  get done(): boolean {
    return this.#at >= this.#body.length;
  }

  byte(): number {
    return this.#body[this.#at++] as number;
  }

  int16(): number {
    return this.#view.getInt16((this.#at += 2) - 2);
  }

  int32(): number {
    return this.#view.getInt32((this.#at += 4) - 4);
  }

  uint32(): number {
    return this.#view.getUint32((this.#at += 4) - 4);
  }

  bytes(length: number): Uint8Array {
    return this.#body.subarray(this.#at, this.#at += length);
  }

  rest(): Uint8Array {
    return this.#body.subarray(this.#at);
  }

  text(): string {
    const end = this.#body.indexOf(0, this.#at);
    const text = decoder.decode(this.#body.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }
}
