// A byte stream to a PostgreSQL server: unix socket, TCP, or TLS over TCP. Plain streams use Deno's own sockets, which
// cost a third less per round trip than node:net; TLS uses node:tls, which can also skip verification (`sslmode=require`).

import { connect as connectTls } from "node:tls";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { once } from "node:events";
import { Outgoing } from "./outgoing.ts";

/** Where a server is reached. `require` encrypts without checking the certificate, as libpq does. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | {
    readonly kind: "tcp";
    readonly hostname: string;
    readonly port: number;
    readonly tls: "off" | "prefer" | "require" | "verify";
  };

export interface Transport {
  /** Bytes as they come, `null` at the end. The chunk is the reader's own. */
  read(): Promise<Uint8Array<ArrayBuffer> | null>;
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

export async function openTransport(endpoint: Endpoint): Promise<Transport> {
  switch (endpoint.kind) {
    case "unix":
      return plain(await Deno.connect({ transport: "unix", path: endpoint.path }));
    case "tcp": {
      if (endpoint.tls !== "off") return await encrypted(endpoint, endpoint.tls);
      const socket = await Deno.connect({ hostname: endpoint.hostname, port: endpoint.port });
      socket.setNoDelay(true);
      return plain(socket);
    }
    default:
      throw endpoint satisfies never;
  }
}

function plain(socket: Deno.Conn): Transport {
  const buffer = new Uint8Array(65536);
  return {
    async read() {
      const size = await socket.read(buffer);
      return size === null ? null : buffer.slice(0, size);
    },
    async write(bytes) {
      let sent = await socket.write(bytes);
      while (sent < bytes.length) sent += await socket.write(bytes.subarray(sent));
    },
    close() {
      try {
        socket.close();
      } catch {
        // Already closed by the other side's end.
      }
    },
  };
}

async function encrypted(
  { hostname, port }: { hostname: string; port: number },
  mode: "prefer" | "require" | "verify",
): Promise<Transport> {
  const socket = connectTcp({ host: hostname, port, noDelay: true });
  await once(socket, "connect");
  socket.write(new Outgoing().sslRequest().bytes);
  const [answer] = await once(socket, "data") as [Uint8Array];
  socket.pause();
  if (answer.length !== 1) throw new Error("The PostgreSQL server answered more than it was asked");
  if (answer[0] !== "S".charCodeAt(0)) {
    if (mode === "prefer") return overSocket(socket);
    socket.destroy();
    throw new Error("The PostgreSQL server does not offer TLS, which DATABASE_URL requires");
  }
  const servername = isIP(hostname) === 0 ? { servername: hostname } : {};
  const secured = connectTls({
    socket,
    rejectUnauthorized: mode === "verify",
    host: hostname,
    ...servername,
  });
  await once(secured, "secureConnect");
  return overSocket(secured);
}

function overSocket(socket: Socket): Transport {
  const chunks = socket[Symbol.asyncIterator]();
  return {
    async read() {
      const { done, value } = await chunks.next();
      return done ? null : new Uint8Array(value);
    },
    write: (bytes) =>
      new Promise((done, failed) => socket.write(bytes.slice(), (error) => error ? failed(error) : done())),
    close: () => void socket.destroy(),
  };
}
