// Brings hosts up, each with the egress rules of its start: OPEN → CLOSED. What the machine lacks to confine them is said
// once.

import type { EgressRules } from "../core/egress/judge.ts";
import type { Logger } from "../core/log.ts";
import { Host, type HostParts } from "./host.ts";
import { HostProcess } from "./host_process.ts";
import { decodeJson, type Frame, FrameKind } from "./protocol/frames.ts";
import type { StartedMessage } from "./protocol/messages.ts";
import type { HostKind } from "./warm_pool.ts";

const startTimeoutMs = 15_000;

export interface HostStarterParts {
  /** What every function may reach, until `setEgress` changes it. */
  egress: EgressRules;
  /** Whether functions may use IPv6, whose ranges cannot be refused. */
  ipv6: boolean;
  log: Logger;
  /** Folder for sockets, readable by nobody else; its path must be short. */
  socketDir: string;
  /** Cache folder of the hosts' own Deno. */
  denoDir: string;
  execPath?: string;
}

export class HostStarter {
  readonly #parts: HostStarterParts;
  readonly #hosts: Set<Host>;
  readonly #host: HostParts;
  readonly #starting = new Set<Promise<Host>>();
  #egress: EgressRules;
  /** What the kernel does not hold here, as hosts said. */
  readonly #missing = new Set<string>();
  #closed = false;

  /** `hosts`: each is put there while it comes up, and taken out again if it does not; `host`: what each is given. */
  constructor(parts: HostStarterParts, { hosts, host }: { hosts: Set<Host>; host: HostParts }) {
    this.#parts = parts;
    this.#egress = parts.egress;
    this.#hosts = hosts;
    this.#host = host;
  }

  /** A host that was coming up with other rules is ended, and another takes its place. */
  setEgress(rules: EgressRules): void {
    this.#egress = rules;
  }

  /** A start that is under way when the starter closes is waited for, and its host ended. */
  async start(kind: HostKind): Promise<Host> {
    const rules = this.#egress;
    const starting = this.#bringUp(kind);
    this.#starting.add(starting);
    try {
      const host = await starting;
      if (!this.#closed && rules === this.#egress) return host;
      host.kill();
      if (!this.#closed) return this.start(kind);
      throw new Error("The server is stopping");
    } finally {
      this.#starting.delete(starting);
    }
  }

  async #bringUp({ memoryLimitMb, egress: app }: HostKind): Promise<Host> {
    const { execPath = Deno.execPath(), denoDir, socketDir, ipv6 } = this.#parts;
    // deno-lint-ignore prefer-const -- frames may come before the host is made.
    let host: Host | undefined;
    const ready = Promise.withResolvers<StartedMessage>();
    const process = await HostProcess.start({
      memoryLimitMb,
      egress: { ...this.#egress, app },
      ipv6,
      denoDir,
      socketDir,
      execPath,
      onFrame: (frame: Frame) =>
        frame.kind === FrameKind.Started
          ? ready.resolve(decodeJson(frame.payload))
          : host?.channel.onFrame(frame),
      onGone: (death) => {
        ready.reject(new Error(`An isolate host ended while it started: ${death.lastWords}`));
        host?.onDeath(death);
      },
    });
    host = new Host(process, memoryLimitMb, this.#host);
    this.#hosts.add(host);
    const timer = setTimeout(() => process.kill(), startTimeoutMs);
    try {
      this.#noteMissing(await ready.promise);
    } catch (error) {
      this.#hosts.delete(host);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    host.memory.measureEmpty();
    return host;
  }

  /** Said once for each guarantee: it is the machine's lack, and every host has the same. */
  #noteMissing({ missing }: StartedMessage): void {
    for (const what of missing.filter((each) => !this.#missing.has(each))) {
      this.#missing.add(what);
      this.#parts.log.warn("An isolate host is not confined as it should be on this machine", { what });
    }
  }

  /** Resolves when no start is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#starting);
  }
}
