// Console output of a function, told apart by invocation although many share the isolate: the async context says whose
// it is. Output outside any invocation (at load, in a timer of the module) belongs to the next invocation that ends.

import { AsyncLocalStorage } from "node:async_hooks";
import { Buffer } from "node:buffer";
import { type ConsoleLevel, consoleLevels, consoleLimits } from "../../core/invocation.ts";
import { quotaMessage } from "../../core/quotas.ts";
import type { ConsoleMessage } from "../protocol/messages.ts";
import { limits } from "./quotas.ts";
import { detached } from "./runtime.ts";

/** Whoever is printing: an invocation, or the module itself. */
export interface Printer {
  /** The invocation's id; 0 is the module's. */
  readonly id: number;
  /** Lines that were sent, their bytes, and how many more there were. */
  printed: number;
  printedBytes: number;
  dropped: number;
  /** Hosts that the network refused it, and that its log names already. */
  refused?: { [host: string]: true | null };
  print(entry: ConsoleMessage): void;
}

export const printer = detached(new AsyncLocalStorage<Printer>());

const now = Date.now;
const inspect = Deno.inspect;
const bytesOf = Buffer.byteLength;

let module: Printer;

/** Whoever is running: an invocation, or the module itself. */
export function current(): Printer {
  return printer.getStore() ?? module;
}

/** Sends a line, within the limits. Beyond them nothing is even formatted: a flood of lines costs next to nothing. */
export function print(to: Printer, level: ConsoleLevel, values: readonly unknown[]): void {
  if (to.dropped > 0) return void to.dropped++;
  if (to.printed < limits.logLines) {
    const message = formatMessage(values);
    const bytes = bytesOf(message);
    if (to.printedBytes + bytes <= limits.logBytes) {
      to.printed++;
      to.printedBytes += bytes;
      return to.print({ level, message, timestamp: now() });
    }
  }
  to.dropped++;
  tellDropped(to);
}

/** Says what is missing: at once, since an invocation may be stopped, and again at its end, which replaces that. */
export function tellDropped(to: Printer): void {
  const { printed, printedBytes, dropped } = to;
  const reached = printed < limits.logLines
    ? quotaMessage("logBytes", { limit: limits.logBytes, used: printedBytes })
    : quotaMessage("logLines", { limit: limits.logLines, used: printed });
  const message = `… ${dropped} more line${dropped === 1 ? " was" : "s were"} not kept. ${reached}`;
  to.print({ level: "warn", message, timestamp: now(), closing: true });
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return inspect(value, { depth: 6, iterableLimit: 200, strAbbreviateSize: consoleLimits.characters });
  } catch (error) {
    return `[cannot be printed: ${String(error)}]`;
  }
}

function cut(text: string): string {
  return text.length > consoleLimits.characters ? text.slice(0, consoleLimits.characters) : text;
}

/** `%s`, `%d`, `%i`, `%f`, `%j`, `%o`, `%O` and `%c` of the console standard, then the rest joined by a space. */
export function formatMessage(values: readonly unknown[]): string {
  const [first, ...rest] = values;
  if (typeof first !== "string" || rest.length === 0 || !first.includes("%")) {
    return cut(values.map(asText).join(" "));
  }
  let next = 0;
  const text = first.replace(/%([sdifjoOc%])/g, (whole, letter: string) => {
    if (letter === "%") return "%";
    if (next >= rest.length) return whole;
    const value = rest[next++];
    switch (letter) {
      case "s":
        return typeof value === "string" ? value : asText(value);
      case "d":
      case "f":
        return typeof value === "bigint" ? `${value}n` : String(Number(value));
      case "i":
        return typeof value === "bigint" ? `${value}n` : String(Math.trunc(Number(value)));
      case "c":
        return "";
      case "j":
        return JSON.stringify(value) ?? "undefined";
      default:
        return asText(value);
    }
  });
  return cut([text, ...rest.slice(next).map(asText)].join(" "));
}

/** Makes the global console write to `orphans` or to the invocation that prints. */
export function captureConsole(orphans: Printer): void {
  module = orphans;
  const put = (level: ConsoleLevel, values: readonly unknown[]) => print(current(), level, values);
  const counts = new Map<string, number>();
  const timers = new Map<string, number>();
  const label = (value: unknown) => value === undefined ? "default" : String(value);
  const elapsed = (name: string) => `${name}: ${(performance.now() - (timers.get(name) ?? 0)).toFixed(0)}ms`;
  const captured: Record<string, (...values: unknown[]) => void> = {
    trace: (...values) =>
      put(
        "debug",
        current().dropped > 0 ? [] : [new Error(formatMessage(values)).stack?.replace(/^Error/, "Trace")],
      ),
    assert: (condition, ...values) => condition || put("error", ["Assertion failed:", ...values]),
    table: (...values) => put("log", values),
    dir: (value) => put("log", [value]),
    dirxml: (...values) => put("log", values),
    group: (...values) => put("log", values),
    groupCollapsed: (...values) => put("log", values),
    groupEnd: () => {},
    clear: () => {},
    count: (name) => {
      counts.set(label(name), (counts.get(label(name)) ?? 0) + 1);
      put("log", [`${label(name)}: ${counts.get(label(name))}`]);
    },
    countReset: (name) => void counts.delete(label(name)),
    time: (name) => void timers.set(label(name), performance.now()),
    timeLog: (name, ...values) => timers.has(label(name)) && put("log", [elapsed(label(name)), ...values]),
    timeEnd: (name) => {
      if (timers.has(label(name))) put("log", [elapsed(label(name))]);
      timers.delete(label(name));
    },
    timeStamp: () => {},
    profile: () => {},
    profileEnd: () => {},
  };
  for (const level of consoleLevels) captured[level] = (...values) => put(level, values);
  for (const [name, method] of Object.entries(captured)) {
    Object.defineProperty(console, name, {
      value: method,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
}
