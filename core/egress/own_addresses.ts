// The platform's own addresses, public ones too, which functions may not reach: what it connects to, by name and by every
// address that the name has had, and the machine's own. The public API stays open. Looked up again from time to time.

import { lookup } from "node:dns";
import { type EgressRules, judgeAddress } from "./judge.ts";

import { type Destination, parseEgressRule } from "./rule.ts";

export interface OwnAddressesParts {
  /** Services that the platform connects to. */
  services: readonly Destination[];
  /** Origin of the public API, and the port that this node listens on for it. */
  api: { url: string; listenPort: number };
  /** What the operator allows by name or exactly is no longer the platform's own. */
  allow: readonly string[];
  /** Addresses of a name; empty when it has none now. */
  resolve?: (name: string) => Promise<string[]>;
  /** Addresses of this machine. */
  interfaces?: () => string[];
}

const lookUpAgainMs = 60_000;
/** Longest a name is waited for: the server's start waits too. */
const resolveMs = 2000;
/** Names whose addresses change with every look are in the list by name all the same. */
const maxKept = 256;

export class OwnAddresses {
  readonly #parts: OwnAddressesParts;
  readonly #denied = new Set<string>();

  constructor(parts: OwnAddressesParts) {
    this.#parts = parts;
  }

  /** Entries for a deny list. An address that a name once had stays. */
  get denied(): readonly string[] {
    return [...this.#denied];
  }

  /** Looks everything up; whether there is more to deny than before. */
  async refresh(): Promise<boolean> {
    const before = this.#denied.size;
    for (const entry of [...await this.#services(), ...await this.#machine()]) {
      if (this.#denied.size < maxKept && !this.#isAllowed(entry)) this.#denied.add(entry);
    }
    return this.#denied.size > before;
  }

  /** Refreshes until disposed. */
  watch({ onChange, onFailure }: { onChange(): void; onFailure(error: unknown): void }): Disposable {
    const timer = setInterval(() => {
      void this.refresh().then((changed) => changed && onChange()).catch(onFailure);
    }, lookUpAgainMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  async #services(): Promise<string[]> {
    const found = await Promise.all(this.#parts.services.map(async ({ host, port }) => {
      const addresses = await this.#resolve(host);
      return [host, ...addresses].flatMap((each) => entryOf(each, port));
    }));
    return found.flat();
  }

  /** The machine's public addresses; private ones are denied with their ranges. */
  async #machine(): Promise<string[]> {
    const { api: { url, listenPort }, interfaces = ownInterfaces } = this.#parts;
    const { hostname, port, protocol } = new URL(url);
    const apiPort = Number(port || (protocol === "https:" ? 443 : 80));
    const apiAddresses = await this.#resolve(hostname.replace(/^\[|\]$/g, ""));
    return interfaces().filter(isPublic).flatMap((address) => {
      if (!apiAddresses.includes(address)) return entryOf(address, null);
      // Deno cannot deny all ports but one, so of the API's own address only the port behind the proxy is closed.
      return listenPort === apiPort || listenPort === 0 ? [] : entryOf(address, listenPort);
    });
  }

  async #resolve(name: string): Promise<string[]> {
    const { resolve = systemResolve } = this.#parts;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<string[]>((done) => timer = setTimeout(done, resolveMs, []));
    try {
      return await Promise.race([resolve(name), late]);
    } catch {
      // It has no address now: its name stays denied, and the next look asks again.
      return [];
    } finally {
      clearTimeout(timer);
    }
  }

  #isAllowed(entry: string): boolean {
    const { text, port } = parseEgressRule(entry);
    return this.#parts.allow.includes(port === null ? text : text.slice(0, text.lastIndexOf(":")));
  }
}

/** A host that no entry can be written for, as `127.1`, is denied by its addresses alone. */
function entryOf(host: string, port: number | null): string[] {
  const bracketed = host.includes(":") ? `[${host}]` : host;
  try {
    return [parseEgressRule(port === null ? bracketed : `${bracketed}:${port}`).text];
  } catch {
    return [];
  }
}

const nothing: EgressRules = { allow: [], deny: [] };

function isPublic(host: string): boolean {
  return judgeAddress({ host, port: 0 }, nothing).kind === "allowed";
}

function ownInterfaces(): string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}

function systemResolve(name: string): Promise<string[]> {
  return new Promise((yes, no) =>
    lookup(
      name,
      { all: true },
      (error, found) => error === null ? yes(found.map(({ address }) => address)) : no(error),
    )
  );
}
