// Bounds the fetches that are under way, each from its start until its body is read, cancelled or collected: that is how
// long the runtime keeps something open for it, and its table of open things is what is counted.

import { Room } from "./quotas.ts";
import { refuse } from "./refusals.ts";
import { apply, core, gc, settled } from "./runtime.ts";

const kinds: Readonly<Record<string, true>> = { fetchResponse: true, fetchCancelHandle: true };

function underWay(): number {
  let count = 0;
  for (const kind of Object.values(core.resources())) if (kinds[kind]) count++;
  return count;
}

export const fetchRoom = new Room("fetches", underWay);

const setTimer = setTimeout;
const now = Date.now;
/** A collection costs milliseconds, and a function can ask for as many as it likes. */
const collectEveryMs = 1000;

let collectedAt = -Infinity;
let collecting: Promise<void> | null = null;

/** Closes what answers hold that nobody can read any more; the runtime does so a turn after they are collected. */
function collect(): Promise<void> {
  if (collecting !== null || now() - collectedAt < collectEveryMs) return collecting ?? Promise.resolve();
  gc?.();
  collectedAt = now();
  return collecting = new Promise((resolve) =>
    setTimer(() => {
      collecting = null;
      resolve();
    }, 5)
  );
}

/** Replaces the global `fetch` by itself, bounded. */
export function boundFetches(): void {
  const native = globalThis.fetch;
  const send = (given: unknown[]): Promise<Response> => {
    fetchRoom.take();
    return settled(apply(native, undefined, given), undefined, refuse);
  };
  const sendWhenFree = async (given: unknown[]): Promise<Response> => {
    await collect();
    return send(given);
  };
  const bounded = function fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    return fetchRoom.free ? send([input, init]) : sendWhenFree([input, init]);
  };
  Object.defineProperty(globalThis, "fetch", { value: bounded, writable: true, configurable: true });
}
