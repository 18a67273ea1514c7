// Writes PostgreSQL's frontend messages (protocol 3.0) one after another into one buffer, so that a whole transaction
// leaves in a single write. Parameters are always bound, always in text format, their types left to the server.

const encoder = new TextEncoder();
const code = (letter: string) => letter.charCodeAt(0);

/** A batch of frontend messages. */
export class Outgoing {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Everything written so far; the batch is not to be written to afterwards. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Messages that were written before and are the same each time. */
  append(messages: Uint8Array): this {
    return this.#raw(messages);
  }

  startup(parameters: Readonly<Record<string, string>>): this {
    const start = this.#open();
    this.#int32(196608);
    for (const [name, value] of Object.entries(parameters)) this.#text(name).#text(value);
    return this.#byte(0).#close(start);
  }

  sslRequest(): this {
    return this.#int32(8).#int32(80877103);
  }

  cancelRequest(processId: number, secret: Uint8Array): this {
    const start = this.#open();
    return this.#int32(80877102).#int32(processId).#raw(secret).#close(start);
  }

  saslInitial(mechanism: string, message: string): this {
    const start = this.#open("p");
    const bytes = encoder.encode(message);
    return this.#text(mechanism).#int32(bytes.length).#raw(bytes).#close(start);
  }

  saslResponse(message: string): this {
    return this.#message("p", encoder.encode(message));
  }

  /** Simple protocol: `text` may hold several statements; the server answers with ReadyForQuery by itself. */
  query(text: string): this {
    const start = this.#open("Q");
    return this.#text(text).#close(start);
  }

  parse(name: string, text: string): this {
    const start = this.#open("P");
    return this.#text(name).#text(text).#int16(0).#close(start);
  }

  /** Binds the statement `name` to the unnamed portal. */
  bind(name: string, parameters: readonly (string | null)[]): this {
    const start = this.#open("B");
    this.#text("").#text(name).#int16(0).#int16(parameters.length);
    for (const parameter of parameters) {
      if (parameter === null) {
        this.#int32(-1);
        continue;
      }
      const sizeAt = this.#length;
      this.#int32(0).#utf8(parameter);
      this.#view.setInt32(sizeAt, this.#length - sizeAt - 4);
    }
    return this.#int16(0).#close(start);
  }

  describePortal(): this {
    const start = this.#open("D");
    return this.#byte(code("P")).#text("").#close(start);
  }

  execute(): this {
    const start = this.#open("E");
    return this.#text("").#int32(0).#close(start);
  }

  /** Forgets a prepared statement; one that does not exist is no error. */
  closeStatement(name: string): this {
    const start = this.#open("C");
    return this.#byte(code("S")).#text(name).#close(start);
  }

  sync(): this {
    return this.#message("S");
  }

  copyFail(reason: string): this {
    const start = this.#open("f");
    return this.#text(reason).#close(start);
  }

  terminate(): this {
    return this.#message("X");
  }

  #message(type: string, body: Uint8Array = new Uint8Array()): this {
    const start = this.#open(type);
    return this.#raw(body).#close(start);
  }

  #open(type?: string): number {
    if (type !== undefined) this.#byte(code(type));
    const start = this.#length;
    this.#int32(0);
    return start;
  }

  #close(start: number): this {
    this.#view.setInt32(start, this.#length - start);
    return this;
  }

  #room(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + size));
    larger.set(this.bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  #byte(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  #int16(value: number): this {
    this.#room(2);
    // Counts reach 65535: the wire's Int16 is read as unsigned there.
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
    return this;
  }

  #int32(value: number): this {
    this.#room(4);
    this.#view.setInt32(this.#length, value);
    this.#length += 4;
    return this;
  }

  #raw(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #utf8(text: string): this {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    this.#room(text.length * 3);
    this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
    return this;
  }

  /** A zero inside would end the field early and shift all that follows, so callers must have refused it. */
  #text(text: string): this {
    if (text.includes("\0")) throw new TypeError("PostgreSQL text cannot hold the character U+0000");
    return this.#utf8(text).#byte(0);
  }
}
