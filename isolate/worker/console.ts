// Console output of a function, told apart by invocation although many share the isolate: the async context says whose
// it is. Output outside any invocation (at load, in a timer of the module) belongs to the next invocation that ends.

import { AsyncLocalStorage } from "node:async_hooks";
import { type ConsoleEntry, type ConsoleLevel, consoleLevels, consoleLimits } from "../../core/invocation.ts";

/** Whoever is printing: an invocation, or the module itself. */
export interface Printer {
  printed: number;
  print(entry: ConsoleEntry): void;
}

export const printer = new AsyncLocalStorage<Printer>();

const now = Date.now;
const inspect = Deno.inspect;

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
  const print = (level: ConsoleLevel, values: readonly unknown[]) => {
    const to = printer.getStore() ?? orphans;
    if (to.printed >= consoleLimits.entries) return;
    to.printed++;
    to.print({ level, message: formatMessage(values), timestamp: now() });
  };
  const counts = new Map<string, number>();
  const timers = new Map<string, number>();
  const label = (value: unknown) => value === undefined ? "default" : String(value);
  const elapsed = (name: string) => `${name}: ${(performance.now() - (timers.get(name) ?? 0)).toFixed(0)}ms`;
  const captured: Record<string, (...values: unknown[]) => void> = {
    trace: (...values) =>
      print("debug", [new Error(formatMessage(values)).stack?.replace(/^Error/, "Trace")]),
    assert: (condition, ...values) => condition || print("error", ["Assertion failed:", ...values]),
    table: (...values) => print("log", values),
    dir: (value) => print("log", [value]),
    dirxml: (...values) => print("log", values),
    group: (...values) => print("log", values),
    groupCollapsed: (...values) => print("log", values),
    groupEnd: () => {},
    clear: () => {},
    count: (name) => {
      counts.set(label(name), (counts.get(label(name)) ?? 0) + 1);
      print("log", [`${label(name)}: ${counts.get(label(name))}`]);
    },
    countReset: (name) => void counts.delete(label(name)),
    time: (name) => void timers.set(label(name), performance.now()),
    timeLog: (name, ...values) => timers.has(label(name)) && print("log", [elapsed(label(name)), ...values]),
    timeEnd: (name) => {
      if (timers.has(label(name))) print("log", [elapsed(label(name))]);
      timers.delete(label(name));
    },
    timeStamp: () => {},
    profile: () => {},
    profileEnd: () => {},
  };
  for (const level of consoleLevels) captured[level] = (...values) => print(level, values);
  for (const [name, method] of Object.entries(captured)) {
    Object.defineProperty(console, name, {
      value: method,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
}
