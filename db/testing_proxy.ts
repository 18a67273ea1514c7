// Stands between a client and the tests' PostgreSQL and counts the messages that go by, for tests of what a query costs.

import type { Endpoint } from "./wire/mod.ts";

export interface CountingProxy extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Messages of the clients since the last call, as their type letters: `Q` and `S` each ask for an answer. */
  asked(): string;
  /** Answers of the server since the last call: one for each ReadyForQuery. */
  answered(): number;
}

/** In front of a server on a unix socket. */
export async function openCountingProxy(server: Endpoint): Promise<CountingProxy> {
  if (server.kind !== "unix") throw new Error("The tests' PostgreSQL listens on a unix socket");
  const folder = await Deno.makeTempDir({ prefix: "butterbase-proxy-" });
  const path = `${folder}/socket`;
  const listener = Deno.listen({ transport: "unix", path });
  const open = new Set<Deno.Conn>();
  const passing: Promise<void>[] = [];
  let letters = "";
  let answers = 0;

  async function accept(): Promise<void> {
    for await (const client of listener) {
      const backend = await Deno.connect({
        transport: "unix",
        path: server.kind === "unix" ? server.path : "",
      });
      open.add(client).add(backend);
      passing.push(
        // The startup message alone has no letter.
        pass(client, backend, { untyped: 1, onLetter: (letter) => letters += letter }),
        pass(backend, client, { untyped: 0, onLetter: (letter) => answers += letter === "Z" ? 1 : 0 }),
      );
    }
  }
  const accepting = accept();

  return {
    endpoint: { kind: "unix", path },
    asked() {
      const asked = letters;
      letters = "";
      return asked;
    },
    answered() {
      const answered = answers;
      answers = 0;
      return answered;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) close(connection);
      await Promise.all([accepting, ...passing]);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

interface Watch {
  untyped: number;
  onLetter: (letter: string) => void;
}

async function pass(from: Deno.Conn, to: Deno.Conn, { untyped, onLetter }: Watch): Promise<void> {
  let rest = new Uint8Array(0);
  try {
    for await (const chunk of from.readable) {
      rest = new Uint8Array([...rest, ...chunk]);
      for (;;) {
        const head = untyped > 0 ? 0 : 1;
        if (rest.length < head + 4) break;
        const size = head + new DataView(rest.buffer).getInt32(head);
        if (rest.length < size) break;
        if (head === 1) onLetter(String.fromCharCode(rest[0] as number));
        else untyped--;
        rest = rest.slice(size);
      }
      for (let sent = 0; sent < chunk.length;) sent += await to.write(chunk.subarray(sent));
    }
  } catch {
    // One side is gone, and so is the other.
  }
  close(to);
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
