// What a server answers to one batch up to its ReadyForQuery, gathered message by message: results, the first error,
// and the transaction state at the end. Values stay the bytes that came.

import { Fields, type Message } from "./incoming.ts";

/** Name and type of a result column. */
export interface Column {
  name: string;
  /** Oid of its type. */
  type: number;
}

export interface StatementResult {
  columns: Column[];
  rows: (Uint8Array | null)[][];
  rowCount: number;
  command: string;
}

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
  #current: StatementResult = emptyResult();
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
  take({ type, body }: Message): Reply | undefined {
    switch (type) {
      case dataRow:
        this.#size += body.length;
        if (!this.overflowed) this.#current.rows.push(parseRow(body));
        return undefined;
      case rowDescription:
        this.#current.columns = parseColumns(body);
        return undefined;
      case commandComplete: {
        const words = new Fields(body).text().split(" ");
        const count = Number(words.at(-1));
        this.#current.rowCount = Number.isInteger(count) ? count : 0;
        this.#current.command = words.filter((word) => !/^\d+$/.test(word)).join(" ");
        this.#results.push(this.#current);
        this.#current = emptyResult();
        return undefined;
      }
      case emptyQuery:
        this.#results.push(this.#current);
        this.#current = emptyResult();
        return undefined;
      case errorResponse:
        this.#error ??= parseError(body);
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
        return { results: this.#results, error: this.#ending(), state: stateOf(body[0]) };
      default:
        return undefined;
    }
  }

  #ending(): ServerError | null {
    if (!this.overflowed) return this.#error;
    const message = `The result is larger than ${this.#limit / 1048576} MB: read it in parts with LIMIT`;
    return new ServerError({ S: "ERROR", C: "54000", M: message });
  }
}

function emptyResult(): StatementResult {
  return { columns: [], rows: [], rowCount: 0, command: "" };
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

function parseRow(body: Uint8Array): (Uint8Array | null)[] {
  const fields = new Fields(body);
  const row = new Array<Uint8Array | null>(fields.int16());
  for (let at = 0; at < row.length; at++) {
    const size = fields.int32();
    row[at] = size < 0 ? null : fields.bytes(size);
  }
  return row;
}

export function parseError(body: Uint8Array): ServerError {
  const fields = new Fields(body);
  const found: Record<string, string> = {};
  for (let type = fields.byte(); type !== 0 && !fields.done; type = fields.byte()) {
    found[String.fromCharCode(type)] = fields.text();
  }
  return new ServerError(found);
}
