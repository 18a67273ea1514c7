// HTTP/1.1 by hand over TCP, for what `fetch` would never send or would not show: paths as they are, forbidden headers,
// bodies that stop half way, an answer read slowly or while the request still goes on.

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

export interface RawAnswer {
  status: number;
  /** As they came, lower-case. */
  headers: [name: string, value: string][];
  body: Uint8Array<ArrayBuffer>;
  text: string;
}

export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #chunked = false;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(origin: string): Promise<RawConnection> {
    const { hostname, port } = new URL(origin);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    return new RawConnection(connection);
  }

  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** One chunk of a chunked request body; an empty one ends it. */
  async sendChunk(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    await this.send(`${bytes.length.toString(16)}\r\n`);
    await this.send(bytes);
    await this.send("\r\n");
  }

  /** Status and headers. */
  async head(): Promise<Pick<RawAnswer, "status" | "headers">> {
    let end: number;
    while ((end = decoder.decode(this.#rest).indexOf("\r\n\r\n")) < 0) {
      if (!await this.#fill()) {
        throw new Error(`The answer ended within its head: ${decoder.decode(this.#rest)}`);
      }
    }
    const [first = "", ...lines] = decoder.decode(this.#rest.subarray(0, end)).split("\r\n");
    this.#rest = this.#rest.slice(end + 4);
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    this.#chunked = headers.some(([name, value]) => name === "transfer-encoding" && value === "chunked");
    return { status: Number(first.split(" ")[1]), headers };
  }

  /** The next bytes of the body as they were sent; `null` at its end. */
  async chunk(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (!this.#chunked) {
      if (this.#rest.length === 0 && !await this.#fill()) return null;
      const bytes = this.#rest;
      this.#rest = new Uint8Array(0);
      return bytes;
    }
    let line: number;
    while ((line = decoder.decode(this.#rest.subarray(0, 32)).indexOf("\r\n")) < 0) await this.#more();
    const length = parseInt(decoder.decode(this.#rest.subarray(0, line)), 16);
    while (this.#rest.length < line + 2 + length + 2) await this.#more();
    const bytes = this.#rest.slice(line + 2, line + 2 + length);
    this.#rest = this.#rest.slice(line + 2 + length + 2);
    return length === 0 ? null : bytes;
  }

  /** The whole answer. */
  async answer(): Promise<RawAnswer> {
    const { status, headers } = await this.head();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const declared = headers.find(([name]) => name === "content-length");
    let left = declared === undefined ? Infinity : Number(declared[1]);
    if ([204, 304].includes(status)) left = 0;
    while (left > 0) {
      const bytes = await this.chunk();
      if (bytes === null) break;
      chunks.push(bytes);
      left -= bytes.length;
    }
    const body = new Uint8Array(await new Blob(chunks).arrayBuffer());
    return { status, headers, body, text: new TextDecoder().decode(body) };
  }

  async #more(): Promise<void> {
    if (!await this.#fill()) throw new Error("The answer broke off");
  }

  async #fill(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(buffer);
    if (count === null) return false;
    const joined = new Uint8Array(this.#rest.length + count);
    joined.set(this.#rest);
    joined.set(buffer.subarray(0, count), this.#rest.length);
    this.#rest = joined;
    return true;
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Sends `METHOD target` with these header lines (`host` is added) and no body, and answers what came. */
export async function rawRequest(
  origin: string,
  line: string,
  headers: readonly string[] = [],
  body: string | Uint8Array = "",
): Promise<RawAnswer> {
  using connection = await RawConnection.open(origin);
  const lines = [`${line} HTTP/1.1`, `host: ${new URL(origin).host}`, "connection: close", ...headers];
  await connection.send(`${lines.join("\r\n")}\r\n\r\n`);
  if (body.length > 0) await connection.send(body);
  return await connection.answer();
}
