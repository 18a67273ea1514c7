// What becomes of a connection that the network rules refuse: the function's error says which host it was and who can
// allow it, and so does one line of the invocation's log for each host.

import { current, print, type Printer } from "./console.ts";
import { apply } from "./runtime.ts";

const asked = /Requires (?:net|import) access to "([^"]+)"/;
/** What the kernel says of a socket that is not IPv4; of WebSocket's the runtime keeps the beginning only. */
const noIpv6 = /EAFNOSUPPORT|Address family not supported|tcp open error$/;
const target = /EAFNOSUPPORT (\S+)|for url \(\w+:\/\/([^/)]+)/;
const { exec } = RegExp.prototype;
const NativeError = Error;
const { defineProperty } = Reflect;
const deepest = 4;

/** What refused the connection, if that is what stopped it; the runtime says so in the error or in a cause of it. */
function refusalOf(thrown: unknown): string | undefined {
  try {
    let error = thrown;
    for (let depth = 0; error instanceof NativeError && depth < deepest; depth++) {
      const { message } = error;
      const found = apply(exec, asked, [message]) as RegExpExecArray | null;
      if (found !== null) return byRules(found[1] as string);
      if (apply(exec, noIpv6, [message]) !== null) {
        const to = apply(exec, target, [message]) as RegExpExecArray | null;
        return byFamily(to?.[1] ?? to?.[2] ?? "the address");
      }
      error = error.cause;
    }
  } catch {
    // What cannot be read is not the runtime's.
  }
  return undefined;
}

function byRules(host: string): string {
  return `The network rules refuse ${host} to functions: the operator can allow a private address with BUTTERBASE_EGRESS_ALLOW, ` +
    "and the app's owner what only the app's own rules refuse with PATCH /v1/{app}/config/egress";
}

function byFamily(host: string): string {
  return `The network rules refuse ${host} to functions over IPv6: give it an IPv4 address, or the operator can allow all of IPv6 ` +
    "with BUTTERBASE_EGRESS_IPV6";
}

/** Each once for an invocation. */
function logRefusal(message: string, to = current()): void {
  to.refused ??= { __proto__: null };
  if (to.refused[message]) return;
  to.refused[message] = true;
  print(to, "warn", [message]);
}

/** For what is told by a number instead of an error, and when nobody's code runs: `to` is whose connection it is. */
export function logNoIpv6(host: string, to: Printer): void {
  logRefusal(byFamily(host), to);
}

/** The thrown value itself; where it is a refusal, it now says so, and so does the log. */
export function explained(thrown: unknown): unknown {
  const message = refusalOf(thrown);
  if (message === undefined) return thrown;
  logRefusal(message);
  const error = thrown as Error;
  const stack = typeof error.stack === "string"
    ? error.stack.replace(error.message, () => message)
    : undefined;
  for (const [name, value] of Object.entries({ message, stack, code: "EGRESS_REFUSED" })) {
    defineProperty(error, name, { value, writable: true, configurable: true, enumerable: name === "code" });
  }
  return error;
}

/** The same, thrown on. */
export function refuse(thrown: unknown): never {
  throw explained(thrown);
}
