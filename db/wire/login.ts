// The first exchange on a new stream: names the role and the database, proves the password, and reads the backend's
// identity. Only SCRAM is spoken: a server that asks for the password itself is refused.

import { Fields, Incoming, type Message } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";
import { parseError } from "./replies.ts";
import { type ScramLogin, scramLogin } from "./scram.ts";
import type { Transport } from "./transport.ts";

export interface LoginParts {
  user: string;
  password: string;
  database: string;
  /** Settings of the session; what `RESET ALL` goes back to. */
  settings?: Readonly<Record<string, string>>;
}

export interface Backend {
  readonly incoming: Incoming;
  readonly processId: number;
  readonly cancelKey: Uint8Array;
}

const decoder = new TextDecoder();

/** @throws {ServerError} when the server refuses the login. */
export async function login(transport: Transport, parts: LoginParts): Promise<Backend> {
  const { user, password, database, settings = {} } = parts;
  await transport.write(
    new Outgoing().startup({ user, database, client_encoding: "UTF8", ...settings }).bytes,
  );
  const incoming = new Incoming();
  const scram = scramLogin(password);
  let processId = 0;
  let cancelKey: Uint8Array = new Uint8Array();
  for (;;) {
    const chunk = await transport.read();
    if (chunk === null) throw new Error("The PostgreSQL server closed the connection during login");
    for (const message of incoming.push(chunk)) {
      switch (String.fromCharCode(message.type)) {
        case "E":
          throw parseError(message.body);
        case "R": {
          const answer = await answerTo(message, scram);
          if (answer !== undefined) await transport.write(answer.bytes);
          break;
        }
        case "K": {
          const fields = new Fields(message.body);
          processId = fields.int32();
          cancelKey = fields.rest().slice();
          break;
        }
        case "Z":
          return { incoming, processId, cancelKey };
      }
    }
  }
}

async function answerTo({ body }: Message, scram: ScramLogin): Promise<Outgoing | undefined> {
  const fields = new Fields(body);
  const method = fields.int32();
  switch (method) {
    case 0:
      return undefined;
    case 10:
      return new Outgoing().saslInitial("SCRAM-SHA-256", scram.first);
    case 11:
      return new Outgoing().saslResponse(await scram.final(decoder.decode(fields.rest())));
    case 12:
      scram.verify(decoder.decode(fields.rest()));
      return undefined;
    default:
      throw new Error(
        `The PostgreSQL server asks for authentication method ${method}: only scram-sha-256 is spoken`,
      );
  }
}
