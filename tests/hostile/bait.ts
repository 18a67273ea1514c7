// What an attack that works would touch: listeners on this machine that no function may reach. Nothing is sent elsewhere.

import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { hostname, networkInterfaces } from "node:os";

export interface Bait extends AsyncDisposable {
  /** What the attack is told, as JSON. */
  readonly told: {
    /** Listens on every address of the machine. */
    readonly port: number;
    /** Sends whoever asks for `/302` on to `port` with that status; the operator allows its address, 127.0.0.2. */
    readonly redirectPort: number;
    /** Takes connections on 127.0.0.2 and never answers. */
    readonly silentPort: number;
    readonly socket: string;
    /** The server's own process. */
    readonly pid: number;
    /** Names and private addresses by which the machine knows itself. */
    readonly ownNames: readonly string[];
    readonly ownAddresses: readonly string[];
  };
  /** How often somebody came who should not. */
  readonly visits: () => number;
}

/** The one address beside the public ones that the operator of the attacked platform allows. */
export const allowedAddress = "127.0.0.2";

export async function layBait(): Promise<Bait> {
  await using opened = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "bb-bait-" });
  opened.defer(() => Deno.remove(folder, { recursive: true }));
  let visits = 0;
  const visit = () => {
    visits++;
    return new Response("secret");
  };
  const open = (
    where: { hostname: string; port: number },
    answer: (request: Request) => Response | Promise<Response>,
  ) => {
    const server = Deno.serve({ ...where, onListen() {} }, answer);
    opened.defer(() => server.shutdown());
    return server.addr.port;
  };
  const openIfThere: typeof open = (where, answer) => {
    try {
      return open(where, answer);
    } catch {
      return 0;
    }
  };
  const port = open({ hostname: "0.0.0.0", port: 0 }, visit);
  const own = await ownNamesAndAddresses();
  for (const hostname of ["::1", ...own.ownAddresses.filter((address) => address.includes(":"))]) {
    openIfThere({ hostname, port }, visit);
  }
  const datagrams = createSocket("udp4", () => visits++);
  opened.defer(() => new Promise<void>((resolve) => datagrams.close(() => resolve())));
  await new Promise<void>((resolve) => datagrams.bind(port, "0.0.0.0", resolve));
  const location = `http://127.0.0.1:${port}/`;
  const redirect = (request: Request) =>
    new Response(null, { status: Number(new URL(request.url).pathname.slice(1)), headers: { location } });
  const redirectPort = openIfThere({ hostname: allowedAddress, port: 0 }, redirect);
  const silence = new AbortController();
  const never = () =>
    new Promise<Response>((resolve) => {
      silence.signal.addEventListener("abort", () => resolve(new Response()), { once: true });
    });
  const silentPort = openIfThere({ hostname: allowedAddress, port: 0 }, never);
  opened.defer(() => silence.abort());
  const socket = `${folder}/s`;
  const unix = Deno.serve({ path: socket, onListen() {} }, visit);
  opened.defer(() => unix.shutdown());
  const all = opened.move();
  return {
    told: { port, redirectPort, silentPort, socket, pid: Deno.pid, ...own },
    visits: () => visits,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const isPrivate = (address: string) =>
  /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1$|f[cd])/i
    .test(address);

/** Only private ones: a machine's public address is open to all. */
async function ownNamesAndAddresses(): Promise<{ ownNames: string[]; ownAddresses: string[] }> {
  const ownNames: string[] = [];
  for (const name of ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", hostname()]) {
    const found = await lookup(name, { all: true }).catch(() => []);
    if (found.length > 0 && found.every(({ address }) => isPrivate(address))) ownNames.push(name);
  }
  const own = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  // A link-local address means nothing without its interface, which no URL can name.
  return { ownNames, ownAddresses: own.map(({ address }) => address).filter(isPrivate) };
}
