// Bounds open sockets, whichever way they are made: Deno's connections and WebSockets stand in the runtime's table of
// open things, Node's are counted here, at the one native class that all of them use. Ports are not opened at all.

import process from "node:process";
import { current, print } from "./console.ts";
import { fetchRoom } from "./fetches.ts";
import { Room } from "./quotas.ts";
import { explained, logNoIpv6, refuse } from "./refusals.ts";
import { apply, construct, core, detached, replaceMethod, settled } from "./runtime.ts";

const kinds: Readonly<Record<string, true>> = {
  tcpStream: true,
  tlsStream: true,
  serverWebSocket: true,
  webSocketCancel: true,
  nodeUdpSocket: true,
};

type Handle = WeakKey;
type Method = (this: Handle, ...given: unknown[]) => unknown;

/** Node's sockets that are open. Held weakly: one that is collected is closed. */
const refs = detached(new WeakMap<Handle, WeakRef<Handle>>());
const nodeSockets = detached(new Set<WeakRef<Handle>>());
const Ref = WeakRef;
const { deref } = WeakRef.prototype;
/** Deno's connections that are being made: they are in no table yet. */
let connecting = 0;

function open(): number {
  let count = connecting;
  for (const kind of Object.values(core.resources())) if (kinds[kind]) count++;
  nodeSockets.forEach((ref) => {
    if (apply(deref, ref, []) === undefined) nodeSockets.delete(ref);
  });
  return count + nodeSockets.size;
}

const room = new Room("sockets", open);

/** `connect` of Deno, bounded; its refusals are explained. */
export function boundConnect<Options, Connection>(
  connect: (options: Options) => Promise<Connection>,
): (options: Options) => Promise<Connection> {
  const done = (connection: Connection) => {
    connecting--;
    return connection;
  };
  const failed = (thrown: unknown): never => {
    connecting--;
    return refuse(thrown);
  };
  return (options) => {
    room.take();
    let connection: Promise<Connection>;
    try {
      connection = connect(options);
    } catch (thrown) {
      return refuse(thrown);
    }
    connecting++;
    return settled(connection, done, failed);
  };
}

const UV_EACCES = -13;
const UV_EAFNOSUPPORT = -97;

/** What Node hands to a native `connect`: it is told there how that went. */
interface ConnectRequest {
  oncomplete(status: number, ...rest: unknown[]): void;
}

/** A refusal of IPv6 goes into the log of the invocation that connects. */
function watchFamily(request: ConnectRequest, address: string, port: number): void {
  const { oncomplete } = request;
  const to = current();
  request.oncomplete = function (status, ...rest) {
    if (status === UV_EAFNOSUPPORT) logNoIpv6(`[${address}]:${port}`, to);
    apply(oncomplete, this, [status, ...rest]);
  };
}

/** Native classes behind Node's modules, whose methods are replaced before user code could take them. */
function boundNode(): void {
  const binding = (process as unknown as { binding(name: string): Record<string, { prototype: object }> })
    .binding;
  const prototypeOf = (module: string, name: string) => binding(module)[name]?.prototype ?? {};
  const tcp = prototypeOf("tcp_wrap", "TCP");
  const pipe = prototypeOf("pipe_wrap", "Pipe");
  const udp = prototypeOf("udp_wrap", "UDP");

  for (const name of ["connect", "connect6"]) {
    replaceMethod<Method>(tcp, name, (connect) =>
      function (...given) {
        room.take();
        const ref = refs.get(this) ?? new Ref(this);
        refs.set(this, ref);
        nodeSockets.add(ref);
        if (name === "connect6") watchFamily(...given as [ConnectRequest, string, number]);
        try {
          return apply(connect, this, given);
        } catch (thrown) {
          throw explained(thrown);
        }
      });
  }
  // What is taken over as a stream of Deno's own stands in the table from then on.
  for (const name of ["close", "reset", "takeStream"]) {
    replaceMethod<Method>(tcp, name, (close) =>
      function (...given) {
        const result = apply(close, this, given);
        const ref = refs.get(this);
        if (ref !== undefined) nodeSockets.delete(ref);
        return result;
      });
  }
  const closed = (prototype: object, names: string[], what: string) => {
    for (const name of names) {
      replaceMethod<Method>(prototype, name, () =>
        function () {
          print(current(), "warn", [`A function ${what}`]);
          return UV_EACCES;
        });
    }
  };
  closed(tcp, ["bind", "bind6", "bindWithFlags", "listen"], "opens no port: it is called by its URL");
  closed(udp, ["bind", "bind6"], "has no datagram sockets: connect over tcp, or use fetch");
  // Any descriptor of the process could be taken over by its number, the platform's own sockets too.
  closed(tcp, ["open", "openFromRid"], "takes over no descriptor");
  closed(pipe, ["open", "bind", "listen"], "takes over no descriptor and opens no pipe");
  closed(udp, ["open"], "takes over no descriptor");
}

type SocketClass = new (url: string | URL, ...rest: unknown[]) => EventTarget;

/** Replaces a global class of sockets by itself, bounded. Its own events tell of refusals that come later. */
function boundClass(name: "WebSocket" | "EventSource", room: Room): void {
  const native = globalThis[name] as unknown as SocketClass;
  const { addEventListener } = EventTarget.prototype;
  const bounded: SocketClass = new Proxy(native, {
    construct(target, given, newTarget): EventTarget {
      room.take();
      try {
        const socket: EventTarget = construct(target, given, newTarget === bounded ? target : newTarget);
        apply(addEventListener, socket, ["error", onError]);
        return socket;
      } catch (thrown) {
        throw explained(thrown);
      }
    },
  });
  native.prototype.constructor = bounded;
  Object.defineProperty(globalThis, name, { value: bounded, writable: true, configurable: true });
}

const NativeErrorEvent = ErrorEvent;

function onError(event: Event): void {
  if (event instanceof NativeErrorEvent) explained(event.error);
}

/** To be called before user code loads, and before `process.binding` goes. */
export function boundSockets(): void {
  boundNode();
  boundClass("WebSocket", room);
  // To the runtime it is a fetch that goes on.
  boundClass("EventSource", fetchRoom);
}
