// One run of a version: what goes in, what comes out, and what is remembered of it.

import type { AppError } from "./errors.ts";
import type { InvocationCause } from "./trigger.ts";

export const consoleLevels = ["log", "info", "warn", "error", "debug"] as const;
export type ConsoleLevel = (typeof consoleLevels)[number];

/** One line that a function printed; `timestamp` in ms since 1970. */
export interface ConsoleEntry {
  level: ConsoleLevel;
  message: string;
  timestamp: number;
}

/** Each console entry is cut at this many characters; core/quotas.ts says how many are kept. */
export const consoleLimits = { characters: 10_000 } as const;

/** Something a function threw, as its owner may read it; `stack` shows the bundle's positions until they are mapped. */
export interface ReportedError {
  name: string;
  message: string;
  stack: string | null;
}

/** Why a run was ended before its handler answered. */
export type StopReason =
  | "deadline"
  | "held"
  | "cpu"
  | "memory"
  | "crashed"
  | "exited"
  | "cancelled"
  | "paused";

/** How the caller of a function identified itself: `ctx.caller`. */
export interface Caller {
  type: "anonymous" | "end_user_jwt" | "service_key" | "loopback";
  keyId: string | null;
  scope: string | null;
  userId: string | null;
}

/** `ctx.user`: the end user a call runs for, by token or by X-Butterbase-As-User. */
export interface FunctionUser {
  id: string;
  email: string | null;
  claims: Readonly<Record<string, unknown>>;
}

/** `ctx.trigger`: the event that started the run; secrets of its config are removed. */
export interface TriggerContext {
  type: InvocationCause;
  id: string | null;
  attempt: number;
  time: string;
  config: Record<string, unknown>;
}

/** `ctx.request`. */
export interface RequestContext {
  id: string;
  ip: string | null;
  country: string | null;
  functionName: string;
}

/** `ctx.app`; fields of features that this platform leaves out hold neutral values. */
export interface AppContext {
  id: string;
  name: string;
  ownerId: string;
  substrateOrganizationId: string | null;
  region: string;
  subdomain: string | null;
  anonKey: string | null;
  allowedOrigins: readonly string[];
  frontend: { url: string } | null;
  auth: { accessTokenTtl: string; refreshTokenTtlDays: number; hookFunction: string | null };
  ai: { defaultModel: string } | null;
  billing: { stripeAccountId: string | null } | null;
}

/** What differs from one run to the next, sent to the isolate with the request. Holds no credential. */
export interface RunContext {
  user: FunctionUser | null;
  caller: Caller;
  request: RequestContext;
  trigger: TriggerContext;
}

/** The request as the handler will see it; header names are lower-case. */
export interface InvocationRequest {
  method: string;
  url: string;
  headers: [string, string][];
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

/** What a handler answered; a body that is complete is bytes, one that still flows is a stream. */
export interface InvocationResponse {
  status: number;
  headers: [string, string][];
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

/** How a run went, complete when its background work has ended too. */
export interface RunReport {
  console: ConsoleEntry[];
  /** CPU time in ms: the run's share of what its isolate used while it ran. */
  cpuMs: number;
  /** Most that the isolate's process held resident during the run, in MiB. */
  peakMemoryMb: number;
  requestBytes: number;
  responseBytes: number;
  /** Set when the answer broke off after its head was sent, or background work was cut. */
  late: { kind: "stream_broke"; error: ReportedError } | { kind: "stopped"; reason: StopReason } | null;
}

/** How a run ended for its caller; `report` follows when nothing of it runs any more. */
export type Outcome =
  & (
    | { kind: "responded"; response: InvocationResponse }
    | { kind: "threw"; error: ReportedError }
    | { kind: "bad_response"; error: ReportedError }
    | { kind: "boot_failed"; error: ReportedError }
    /** The request could not be had whole: it is too large, or broke off. */
    | { kind: "request_broke"; error: AppError }
    | { kind: "overloaded"; waiting: number; limit: number }
    | { kind: "stopped"; reason: StopReason; limit: number | null; used: number | null }
  )
  & { report: Promise<RunReport> };

/** Whole bodies longer than this have their buffer for themselves: no read is as long. */
const sharedBytes = 256 * 1024;

const transfer = Function.prototype.call.bind(ArrayBuffer.prototype.transfer);

/**
 * Gives the memory of a whole body back now. Left to the garbage collector, a few long ones look like so much memory that
 * it starts a full collection. Short ones may share their buffer with others, and stay.
 */
export function releaseBody(body: unknown): void {
  if (body instanceof Uint8Array && body.length > sharedBytes) transfer(body.buffer, 0);
}
