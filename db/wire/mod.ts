// A small PostgreSQL client for what postgres.js does not do: a whole transaction in one write and one round trip,
// parameters whose types only the server decides, results as the bytes that came, and a cancel that is awaited.

export { Connection, ConnectionLost, type ConnectOptions } from "./connection.ts";
export { Fields } from "./incoming.ts";
export { Outgoing } from "./outgoing.ts";
export {
  type Column,
  type Reply,
  ServerError,
  type StatementResult,
  type TransactionState,
} from "./replies.ts";
export { scramVerifier } from "./scram.ts";
export type { Endpoint } from "./transport.ts";
