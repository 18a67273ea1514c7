// What the frames carry. The server believes none of it beyond what it can check: a worker runs user code.

import type { AppContext, ConsoleEntry, ReportedError, RunContext } from "../../core/invocation.ts";
import type { QuotaLimits } from "../../core/quotas.ts";

/** Bytes of a body that may be under way before the reader has asked for more. */
export const bodyWindowBytes = 256 * 1024;

/** A body is sent in chunks of at most this many bytes. */
export const bodyChunkBytes = 64 * 1024;

/** Head of a Load frame; its tail is the bundle. */
export interface LoadHead {
  functionName: string;
  app: AppContext;
  env: Record<string, string>;
  memoryLimitMb: number;
  waitUntilMs: number;
  quotas: QuotaLimits;
}

/** Payload of an Env frame: what `ctx.env` and `ctx.app` are from the next invocation on. */
export interface EnvUpdate {
  env: Record<string, string>;
  app: AppContext;
}

/** `none`: no body. `whole`: the bytes that follow the head. `stream`: RequestChunk frames follow. */
export type BodyKind = "none" | "whole" | "stream";

/** Head of an Invoke frame; its tail is a whole body. */
export interface InvokeHead extends RunContext {
  method: string;
  url: string;
  headers: [string, string][];
  body: BodyKind;
}

/** Head of a Head or a Finished frame; its tail is a whole body. */
export interface ResponseHead {
  status: number;
  headers: [string, string][];
  body: BodyKind;
  /** Of a Finished frame: CPU ms, by the worker's own account. */
  cpuMs?: number;
}

/** Payload of a Threw frame. */
export interface ThrewMessage {
  kind: "threw" | "bad_response";
  error: ReportedError;
}

/** Payload of a Started frame. */
export interface StartedMessage {
  /** What the kernel could not be made to hold, each as a sentence's end; nothing where all is well. */
  missing: string[];
}

/** Payload of a Settled frame: nothing of the invocation runs any more. */
export interface SettledMessage {
  /** CPU ms, by the worker's own account. */
  cpuMs: number;
  /** Promises given to waitUntil that were still pending when their time was over. */
  unfinished: number;
}

export interface ConsoleMessage extends ConsoleEntry {
  /** Says how much was not kept; it replaces what said so before. */
  closing?: true;
}

/** Id of a Report frame: whether to seal the worker also when no invocation holds its thread. */
export const sealWhen = { held: 0, always: 1 } as const;

/** Payload of a ReportAnswer frame: what the main thread saw when it sealed the worker. */
export interface ReportAnswer {
  /** How many invocations the worker has begun; `null`: it was not sealed. */
  begun: number | null;
  /** The one whose code was running; 0: none's. */
  holder: number;
}

/** Payload of a Cancel frame. */
export interface CancelMessage {
  reason: "client_gone" | "deadline";
}

/**
 * What `ctx` asks of the server, in the name of the invocation. Parameters are in PostgreSQL's text format; the server
 * chooses the role from the invocation.
 */
export type CallRequest =
  & { invocation: number }
  & (
    | { method: "db.query"; transaction: number | null; text: string; parameters: (string | null)[] }
    | { method: "db.begin"; as: "user" | "anon" | "service"; userId: string | null }
    | { method: "db.end"; transaction: number; how: "commit" | "rollback" }
    | { method: "idempotency.claim"; key: string; scope: string; ttlSeconds: number | null }
    | { method: "invoke"; name: string; verb: string; headers: [string, string][]; body: string | null }
  );

/** Why a call failed, in a form that may be shown to user code. */
export interface CallError {
  name: string;
  message: string;
  code: string | null;
  /** Further enumerable properties of the error: `detail`, `hint`, `table`, `column`, `constraint`, … */
  fields: Record<string, unknown>;
}

/** Head of an Answer frame; the tail depends on the call (rows, a response's body). */
export type AnswerHead = { ok: true; value: unknown } | { ok: false; error: CallError };

/** Head of the answer to `db.query`: columns by name and PostgreSQL type oid; the rows are the tail. */
export interface RowsHead {
  columns: [name: string, type: number][];
  rows: number;
  rowCount: number;
  command: string;
}
