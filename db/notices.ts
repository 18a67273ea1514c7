// What one node tells the others, over one LISTEN connection to the control database: CONNECTED → LOST → CONNECTED … →
// CLOSED. Notices sent while it is lost are gone, so after each loss onReconnect tells subscribers to read again.

import type { ISql, Sql } from "postgres";
import type { Logger } from "../core/log.ts";
import type { Server } from "./server.ts";
import { Connection, Outgoing } from "./wire/mod.ts";

const channel = "butterbase";
/** PostgreSQL refuses payloads of 8000 bytes and more. */
const longestNotice = 7900;
const heartbeatMs = 30_000;
const longestPauseMs = 5_000;

export interface Notices {
  /** Tells every node, this one too; with the `sql` of a transaction, when and only if that commits. */
  publish(topic: string, payload: string, sql?: ISql): Promise<void>;
  /** Calls `handler` for each notice on `topic`, in order; the answer ends the subscription. */
  subscribe(topic: string, handler: (payload: string) => void): () => void;
  /** Calls `handler` each time the connection was lost and is back. */
  onReconnect(handler: () => void): () => void;
  readonly connected: boolean;
  close(): Promise<void>;
}

export interface NoticesParts {
  server: Server;
  control: Sql;
  log: Logger;
}

/** Listens before it returns, so that nothing published afterwards is missed. */
export async function openNotices({ server, control, log }: NoticesParts): Promise<Notices> {
  const handlers = new Map<string, Set<(payload: string) => void>>();
  const reconnectHandlers = new Set<() => void>();
  const closing = new AbortController();
  let connection = await listen();
  const finished = keepListening();

  async function listen(): Promise<Connection> {
    const opened = await Connection.open(server.endpoint, {
      user: server.user,
      password: server.password.reveal(),
      database: server.controlDatabase,
      settings: { application_name: "butterbase_notices" },
      signal: closing.signal,
      onNotification: (_channel, payload) => deliver(payload),
    });
    try {
      await ask(opened, `LISTEN ${channel}`);
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  async function keepListening(): Promise<void> {
    while (!closing.signal.aborted) {
      const beating = setInterval(() => void beat(connection), heartbeatMs);
      await connection.closed;
      clearInterval(beating);
      if (closing.signal.aborted) return;
      log.warn("The notices connection to PostgreSQL was lost");
      for (let pauseMs = 50; !closing.signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
        try {
          connection = await listen();
          for (const handler of reconnectHandlers) guarded(handler);
          break;
        } catch (error) {
          log.debug("Cannot listen for notices yet", { error });
          await pause(pauseMs, closing.signal);
        }
      }
    }
  }

  function deliver(text: string): void {
    const at = text.indexOf("\n");
    for (const handler of handlers.get(text.slice(0, at)) ?? []) guarded(() => handler(text.slice(at + 1)));
  }

  function guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      log.error("A handler of notices failed", { error });
    }
  }

  return {
    async publish(topic, payload, sql = control) {
      const text = `${topic}\n${payload}`;
      if (topic.includes("\n") || new TextEncoder().encode(text).length > longestNotice) {
        throw new RangeError(`Cannot publish on "${topic}": a notice is at most ${longestNotice} bytes`);
      }
      await sql`select pg_notify(${channel}, ${text})`;
    },
    subscribe(topic, handler) {
      const ofTopic = handlers.get(topic) ?? new Set();
      handlers.set(topic, ofTopic.add(handler));
      return () => {
        ofTopic.delete(handler);
        if (ofTopic.size === 0) handlers.delete(topic);
      };
    },
    onReconnect(handler) {
      reconnectHandlers.add(handler);
      return () => void reconnectHandlers.delete(handler);
    },
    get connected() {
      return connection.isOpen;
    },
    async close() {
      closing.abort();
      connection.close();
      await finished;
    },
  };
}

async function ask(connection: Connection, text: string): Promise<void> {
  const [reply] = await Promise.all(connection.send(new Outgoing().query(text), 1));
  if (reply?.error) throw reply.error;
}

/** A connection cut without a word shows only when it is asked something. */
async function beat(connection: Connection): Promise<void> {
  const patience = setTimeout(() => connection.close(), heartbeatMs / 3);
  await ask(connection, "SELECT 1").catch(() => connection.close());
  clearTimeout(patience);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    }
  });
}
