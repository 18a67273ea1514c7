// Time is given, never taken: what depends on it receives a Clock, so that a test can wind it by hand.

export interface Clock {
  /** Milliseconds since 1970 (UTC). May jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds that only grow, for durations. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
