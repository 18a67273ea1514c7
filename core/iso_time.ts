// Instants as ISO 8601 in UTC. Formatting a Date costs as much as a good part of a call, and most instants that are
// written share their second with the one before.

let second = NaN;
let upToSecond = "";

/** As `new Date(ms).toISOString()`. @throws {RangeError} when `ms` is no instant. */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (whole !== second) {
    upToSecond = new Date(whole * 1000).toISOString().slice(0, -4);
    second = whole;
  }
  return `${upToSecond}${String(Math.trunc(ms - whole * 1000)).padStart(3, "0")}Z`;
}
