// One login to a PostgreSQL server: OPEN → CLOSED. Batches are answered in the order they were sent, so a caller may send
// the next before the last is answered. Once CLOSED, whatever is unanswered fails with ConnectionLost.

import { Fields, Incoming, type Message } from "./incoming.ts";
import { login, type LoginParts } from "./login.ts";
import { Outgoing } from "./outgoing.ts";
import { copyIn, type Reply, ReplyReader } from "./replies.ts";
import { type Endpoint, openTransport, type Transport } from "./transport.ts";

const notification = "A".charCodeAt(0);
const largestResult = 64 * 1048576;

/** The connection ended before the answer came; whether the statement took effect is not known. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

export interface ConnectOptions extends LoginParts {
  /** Gives up connecting. */
  signal?: AbortSignal;
  onNotification?: (channel: string, payload: string) => void;
}

interface Expected {
  readonly reader: ReplyReader;
  readonly promise: PromiseWithResolvers<Reply>;
}

export class Connection {
  readonly #endpoint: Endpoint;
  readonly #transport: Transport;
  readonly #incoming: Incoming;
  readonly #expected: Expected[] = [];
  readonly #onNotification: ((channel: string, payload: string) => void) | undefined;
  readonly #closed = Promise.withResolvers<void>();
  #open = true;
  /** Process id of the backend, and the secret that lets us cancel what it runs. */
  readonly processId: number;
  readonly #cancelKey: Uint8Array;

  private constructor(
    endpoint: Endpoint,
    transport: Transport,
    backend: { incoming: Incoming; processId: number; cancelKey: Uint8Array },
    options: ConnectOptions,
  ) {
    this.#endpoint = endpoint;
    this.#transport = transport;
    this.#incoming = backend.incoming;
    this.processId = backend.processId;
    this.#cancelKey = backend.cancelKey;
    this.#onNotification = options.onNotification;
  }

  /**
   * Logs in.
   * @throws {ServerError} when the server refuses, or what the socket throws when there is no server.
   */
  static async open(endpoint: Endpoint, options: ConnectOptions): Promise<Connection> {
    options.signal?.throwIfAborted();
    const transport = await openTransport(endpoint);
    const giveUp = () => transport.close();
    options.signal?.addEventListener("abort", giveUp);
    try {
      const connection = new Connection(endpoint, transport, await login(transport, options), options);
      void connection.#readUntilClosed();
      return connection;
    } catch (error) {
      transport.close();
      throw options.signal?.aborted ? options.signal.reason : error;
    } finally {
      options.signal?.removeEventListener("abort", giveUp);
    }
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Fulfilled when the connection has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Sends `batch`, which makes the server answer with `replies` ReadyForQuery messages; a promise for each. */
  send(batch: Outgoing, replies: number): Promise<Reply>[] {
    const promises = Array.from({ length: replies }, () => {
      const promise = Promise.withResolvers<Reply>();
      // A caller that stops listening after the first failure must not turn the others into unhandled rejections.
      promise.promise.catch(() => {});
      if (this.#open) this.#expected.push({ reader: new ReplyReader(largestResult), promise });
      else promise.reject(new ConnectionLost("The connection to PostgreSQL is closed"));
      return promise.promise;
    });
    if (this.#open) this.#transport.write(batch.bytes).catch((error) => this.#end(error));
    return promises;
  }

  /** Asks the server to cancel what this connection runs; done when the server has passed it on. */
  async cancel(): Promise<void> {
    const transport = await openTransport(this.#endpoint);
    try {
      await transport.write(new Outgoing().cancelRequest(this.processId, this.#cancelKey).bytes);
      while (await transport.read() !== null);
    } finally {
      transport.close();
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#transport.write(new Outgoing().terminate().bytes).catch(() => {}).finally(() => this.#end());
    this.#open = false;
  }

  async #readUntilClosed(): Promise<void> {
    try {
      for (let chunk = await this.#transport.read(); chunk !== null; chunk = await this.#transport.read()) {
        for (const message of this.#incoming.push(chunk)) this.#take(message);
      }
      this.#end();
    } catch (error) {
      this.#end(error);
    }
  }

  #take(message: Message): void {
    if (message.type === notification) {
      const fields = new Fields(message.body);
      fields.int32();
      this.#onNotification?.(fields.text(), fields.text());
      return;
    }
    const current = this.#expected[0];
    // Without a question pending, only the server's farewell (an error) or a parameter's new value can come.
    if (current === undefined) return;
    if (message.type === copyIn) {
      this.#transport.write(new Outgoing().copyFail("not supported").bytes).catch((error) =>
        this.#end(error)
      );
    }
    const overflowedBefore = current.reader.overflowed;
    const reply = current.reader.take(message);
    if (!overflowedBefore && current.reader.overflowed) this.cancel().catch(() => this.close());
    if (reply === undefined) return;
    this.#expected.shift();
    current.promise.resolve(reply);
  }

  #end(cause?: unknown): void {
    this.#open = false;
    this.#transport.close();
    const options = cause === undefined ? undefined : { cause };
    for (const { promise, reader } of this.#expected.splice(0)) {
      promise.reject(reader.error ?? new ConnectionLost("The connection to PostgreSQL was lost", options));
    }
    this.#closed.resolve();
  }
}
