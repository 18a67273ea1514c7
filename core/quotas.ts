// What functions may hold or send: one table, from which come the settings, the limits that isolates get, and the words
// of every refusal. Time and memory are not here: those are limits of the function, and of its process.

/** One limit; the operator may raise it, up to `max`. */
export interface Quota {
  /** Environment variable that sets it. */
  readonly setting: string;
  /** Whose it is: counted for each of these. */
  readonly of: "isolate" | "invocation";
  /** What is counted, as in "may have 256 open sockets". */
  readonly what: string;
  readonly otherwise: number;
  readonly min: number;
  readonly max: number;
  /** What the function's author can do about it. */
  readonly instead: string;
}

export const quotas = {
  sockets: {
    setting: "BUTTERBASE_MAX_SOCKETS",
    of: "isolate",
    what: "open sockets",
    otherwise: 256,
    min: 0,
    // With the fetches, within the 1024 files that a host's process may open.
    max: 400,
    instead: "Close some before opening more",
  },
  fetches: {
    setting: "BUTTERBASE_MAX_FETCHES",
    of: "isolate",
    what: "fetches under way",
    otherwise: 512,
    min: 0,
    max: 560,
    instead: "Await some, and read or cancel their bodies, before starting more",
  },
  timers: {
    setting: "BUTTERBASE_MAX_TIMERS",
    of: "isolate",
    what: "live timers",
    otherwise: 50_000,
    min: 10,
    max: 10_000_000,
    instead: "Clear some before setting more",
  },
  waitUntil: {
    setting: "BUTTERBASE_MAX_WAIT_UNTIL",
    of: "invocation",
    what: "pending promises of ctx.waitUntil",
    otherwise: 1000,
    min: 1,
    max: 1_000_000,
    instead: "Join them with Promise.all and pass that",
  },
  calls: {
    setting: "BUTTERBASE_MAX_CTX_CALLS",
    of: "invocation",
    what: "calls of ctx under way",
    otherwise: 256,
    min: 1,
    max: 100_000,
    instead: "Await some before starting more",
  },
  transactions: {
    setting: "BUTTERBASE_MAX_TRANSACTIONS",
    of: "invocation",
    what: "open transactions",
    otherwise: 8,
    min: 1,
    max: 1000,
    instead: "Let some callbacks of asUser, asAnon or asService return before starting more",
  },
  responseBytes: {
    setting: "BUTTERBASE_MAX_RESPONSE_BYTES",
    of: "invocation",
    what: "bytes of response",
    otherwise: 1024 * 1024 * 1024,
    min: 1024,
    max: Number.MAX_SAFE_INTEGER,
    instead: "Answer in parts",
  },
  logLines: {
    setting: "BUTTERBASE_MAX_LOG_LINES",
    of: "invocation",
    what: "console lines",
    otherwise: 100,
    min: 1,
    max: 10_000,
    instead: "Print less",
  },
  logBytes: {
    setting: "BUTTERBASE_MAX_LOG_BYTES",
    of: "invocation",
    what: "bytes of console lines",
    otherwise: 1024 * 1024,
    min: 1024,
    max: 16 * 1024 * 1024,
    instead: "Print less",
  },
} as const satisfies Record<string, Quota>;

export type QuotaName = keyof typeof quotas;

/** The limits that are in force. */
export type QuotaLimits = Readonly<Record<QuotaName, number>>;

/** What an error about a quota carries. */
export interface QuotaUse {
  readonly limit: number;
  readonly used: number;
  /** Environment variable by which the operator raises the limit. */
  readonly setting: string;
}

/** What holds where nothing is set. */
export const defaultQuotas = Object.fromEntries(
  Object.entries(quotas).map(([name, { otherwise }]) => [name, otherwise]),
) as QuotaLimits;

/** Limit, use and the setting to raise, in one sentence. */
export function quotaMessage(name: QuotaName, { limit, used }: { limit: number; used: number }): string {
  const { of, what, setting } = quotas[name];
  return `An ${of} may have ${limit} ${what}, and this one has ${used}: ${setting} sets the limit`;
}
