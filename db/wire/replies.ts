// What a server answers to one batch up to its ReadyForQuery, gathered message by message: results, the first error,
// and the transaction state at the end. Rows stay the bytes that came.

import { concat, Fields, type Message } from "./incoming.ts";

/** Name and type of a result column. */
export interface Column {
  name: string;
  /** Oid of its type. */
  type: number;
}

/** What one statement gave. */
export class StatementResult {
  /** `null` when it was not asked for, or the statement has none. */
  columns: readonly Column[] | null = null;
  /** Number of rows in `data`. */
  rows = 0;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #tag: Message | null = null;
  #words: string[] | null = null;

  /** The rows as DataRow messages, one after another. */
  get data(): Uint8Array<ArrayBuffer> {
    const [first, ...others] = this.#pieces;
    if (first === undefined) return nothing;
    if (others.length > 0) {
      const size = this.#pieces.reduce((sum, piece) => sum + piece.length, 0);
      this.#pieces = [concat(this.#pieces, size)];
    }
    return this.#pieces[0] as Uint8Array<ArrayBuffer>;
  }

  /** `SELECT`, `INSERT`, `CREATE TABLE` …; empty for an empty statement. */
  get command(): string {
    return this.#tagWords.filter((word) => !/^\d+$/.test(word)).join(" ");
  }

  /** Rows read or changed. */
  get rowCount(): number {
    const count = Number(this.#tagWords.at(-1));
    return Number.isInteger(count) ? count : 0;
  }

  /** Takes a DataRow; rows that lie one behind the other in memory stay together. */
  add({ bytes, start, end }: Message): void {
    this.rows++;
    const last = this.#pieces.at(-1);
    if (last?.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset + start) {
      this.#pieces[this.#pieces.length - 1] = new Uint8Array(
        bytes.buffer,
        last.byteOffset,
        last.length + end - start,
      );
    } else this.#pieces.push(bytes.subarray(start, end));
  }

  complete(tag: Message): void {
    this.#tag = tag;
  }

  get #tagWords(): string[] {
    return this.#words ??= this.#tag === null ? [""] : new Fields(this.#tag.body).text().split(" ");
  }
}

const nothing = new Uint8Array(0);

/** An ErrorResponse of the server, by its field letters. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  readonly fields: Readonly<Record<string, string>>;
  constructor(fields: Readonly<Record<string, string>>) {
    super(fields.M ?? "PostgreSQL reported an error");
    this.fields = fields;
  }
  /** SQLSTATE. */
  get code(): string {
    return this.fields.C ?? "XX000";
  }
}

/** idle: no transaction; open: inside one; failed: inside one that only a rollback can end. */
export type TransactionState = "idle" | "open" | "failed";

export interface Reply {
  readonly results: StatementResult[];
  readonly error: ServerError | null;
  readonly state: TransactionState;
}

const letter = (text: string) => text.charCodeAt(0);
const rowDescription = letter("T");
const dataRow = letter("D");
const commandComplete = letter("C");
const emptyQuery = letter("I");
const errorResponse = letter("E");
const readyForQuery = letter("Z");
const copyOut = letter("H");
export const copyIn = letter("G");

/** Gathers one reply. A result larger than `limit` bytes is dropped as it comes and ends as an error. */
export class ReplyReader {
  readonly #limit: number;
  #results: StatementResult[] = [];
  #current = new StatementResult();
  #error: ServerError | null = null;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The error told so far: what remains when the connection ends before the reply does. */
  get error(): ServerError | null {
    return this.#error;
  }

  /** Whether the limit is passed: the query should be cancelled, the rest of its rows go nowhere. */
  get overflowed(): boolean {
    return this.#size > this.#limit;
  }

  /** The reply, once `message` has ended it. */
  take(message: Message): Reply | undefined {
    switch (message.type) {
      case dataRow:
        this.#size += message.end - message.start;
        if (!this.overflowed) this.#current.add(message);
        return undefined;
      case rowDescription:
        this.#current.columns = parseColumns(message.body);
        return undefined;
      case commandComplete:
        this.#current.complete(message);
        this.#results.push(this.#current);
        this.#current = new StatementResult();
        return undefined;
      case emptyQuery:
        this.#results.push(this.#current);
        this.#current = new StatementResult();
        return undefined;
      case errorResponse:
        this.#error ??= parseError(message.body);
        return undefined;
      case copyIn:
      case copyOut:
        this.#error ??= new ServerError({
          S: "ERROR",
          C: "0A000",
          M: "COPY with the client is not supported",
        });
        return undefined;
      case readyForQuery:
        return this.#ending(stateOf(message.body[0]));
      default:
        return undefined;
    }
  }

  #ending(state: TransactionState): Reply {
    if (!this.overflowed) return { results: this.#results, error: this.#error, state };
    const message = `The result is larger than ${this.#limit / 1048576} MB: read it in parts with LIMIT`;
    return { results: [], error: new ServerError({ S: "ERROR", C: "54000", M: message }), state };
  }
}

function stateOf(status: number | undefined): TransactionState {
  return status === letter("I") ? "idle" : status === letter("T") ? "open" : "failed";
}

function parseColumns(body: Uint8Array): Column[] {
  const fields = new Fields(body);
  return Array.from({ length: fields.int16() }, () => {
    const name = fields.text();
    fields.bytes(6);
    const type = fields.uint32();
    fields.bytes(8);
    return { name, type };
  });
}

export function parseError(body: Uint8Array): ServerError {
  const fields = new Fields(body);
  const found: Record<string, string> = {};
  for (let type = fields.byte(); type !== 0 && !fields.done; type = fields.byte()) {
    found[String.fromCharCode(type)] = fields.text();
  }
  return new ServerError(found);
}
