// Counts live timers: those of setTimeout and setInterval however they were come by, since all of them are made by one
// method of Node's Timeout, and those of AbortSignal.timeout.

import { Room } from "./quotas.ts";
import { apply, detached, replaceMethod } from "./runtime.ts";

interface Timeout {
  readonly _destroyed: boolean;
}

type Timer = Timeout | AbortSignal;

const { aborted } = Object.getOwnPropertyDescriptors(AbortSignal.prototype) as unknown as {
  aborted: { get(): boolean };
};
const { deref } = WeakRef.prototype;
const Ref = WeakRef;
const NativeSignal = AbortSignal;

function isLive(timer: Timer): boolean {
  return timer instanceof NativeSignal ? !apply(aborted.get, timer, []) : !timer._destroyed;
}

/** Fewer than these are not worth looking through. */
const fewestSwept = 256;

/** Held weakly: what a timer holds must be free once it has fired. */
let refs: WeakRef<Timer>[] = [];
let sweepAt = fewestSwept;
/** Empty but while it sweeps. */
const live = detached(new Set<Timer>());

/** Leaves those that are live, each once: `refresh` makes a timer again. */
function sweep(): number {
  for (let at = 0; at < refs.length; at++) {
    const timer = apply(deref, refs[at], []) as Timer | undefined;
    if (timer !== undefined && isLive(timer)) live.add(timer);
  }
  const kept: WeakRef<Timer>[] = [];
  live.forEach((timer) => (kept[kept.length] = new Ref(timer)));
  refs = kept;
  live.clear();
  sweepAt = Math.max(fewestSwept, 2 * refs.length);
  return refs.length;
}

export function countTimers(): void {
  const room = new Room("timers", sweep);
  const note = (timer: Timer) => {
    refs[refs.length] = new Ref(timer);
    if (refs.length >= sweepAt) sweep();
  };
  const probe = setTimeout(() => {}, 0) as unknown as object;
  const prototype = Object.getPrototypeOf(probe);
  clearTimeout(probe as unknown as number);
  const make = Object.getOwnPropertySymbols(prototype).find(({ description }) =>
    description === "createTimer"
  );
  replaceMethod<(this: Timer) => unknown>(prototype, make ?? "createTimer", (create) =>
    function () {
      room.take();
      note(this);
      return apply(create, this, []);
    });
  replaceMethod<typeof AbortSignal.timeout>(AbortSignal, "timeout", (timeout) =>
    function (milliseconds) {
      room.take();
      const signal = apply(timeout, AbortSignal, [milliseconds]);
      note(signal);
      return signal;
    });
}
