// The server's own log: one JSON object a line on standard error, for operators. What users' functions print never
// comes here, and no field holds a secret: config values that are secret print as "[secret]".

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LoggerOptions {
  level: LogLevel;
  write?: (line: string) => void;
}

export function createLogger({ level, write = (line) => console.error(line) }: LoggerOptions): Logger {
  const at = (own: LogLevel) => (message: string, fields: Record<string, unknown> = {}) => {
    if (rank[own] < rank[level]) return;
    write(JSON.stringify({ time: new Date().toISOString(), level: own, message, ...printable(fields) }));
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function printable(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map((
      [name, value],
    ) => [name, value instanceof Error ? describeError(value) : value]),
  );
}

/** Stack of an error with the stacks of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? String(error);
  return error.cause === undefined ? own : `${own}\ncaused by: ${describeError(error.cause)}`;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
