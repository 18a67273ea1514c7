// What becomes of a connection that the network rules refuse: the function's error says which host it was and who can
// allow it, and so does one line of the invocation's log for each host.

import { current, print } from "./console.ts";
import { apply } from "./runtime.ts";

const asked = /Requires (?:net|import) access to "([^"]+)"/;
const { exec } = RegExp.prototype;
const NativeError = Error;
const { defineProperty } = Reflect;
const deepest = 4;

/** `host:port`, if it is that which stopped the connection; the runtime says so in the error or in a cause of it. */
function refusedHost(thrown: unknown): string | undefined {
  try {
    let error = thrown;
    for (let depth = 0; error instanceof NativeError && depth < deepest; depth++) {
      const found = apply(exec, asked, [error.message]) as RegExpExecArray | null;
      if (found !== null) return found[1];
      error = error.cause;
    }
  } catch {
    // What cannot be read is not the runtime's.
  }
  return undefined;
}

function messageOf(host: string): string {
  return `The network rules refuse ${host} to functions: the operator can allow a private address with BUTTERBASE_EGRESS_ALLOW, ` +
    "and the app's owner what only the app's own rules refuse with PATCH /v1/{app}/config/egress";
}

/** One line for each host and invocation. */
function logRefusal(host: string): void {
  const to = current();
  to.refused ??= { __proto__: null };
  if (to.refused[host]) return;
  to.refused[host] = true;
  print(to, "warn", [messageOf(host)]);
}

/** The thrown value itself; where it is a refusal, it now says so, and so does the log. */
export function explained(thrown: unknown): unknown {
  const host = refusedHost(thrown);
  if (host === undefined) return thrown;
  logRefusal(host);
  const error = thrown as Error;
  const message = messageOf(host);
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
