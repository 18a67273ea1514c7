// What the isolates are asked to run, and what they ask back.

import type { AppEgress } from "../core/egress/app_egress.ts";
import type { AppContext, InvocationRequest, Outcome, RunContext } from "../core/invocation.ts";
import type { CallError, CallRequest } from "./protocol/messages.ts";
import type { Bytes } from "./protocol/frames.ts";

/** An immutable deployed bundle, and what its isolates are made with. */
export interface IsolateVersion {
  readonly id: string;
  readonly appId: string;
  readonly functionName: string;
  readonly memoryLimitMb: number;
  /** What its app lets it reach. A host has this from its start, so a change takes other hosts. */
  readonly egress: AppEgress;
  /** Reads the bundle when a host must load it. */
  readonly bundle: () => Promise<Bytes>;
}

/** Settings that reach a function without a deploy; `revision` changes whenever they do. */
export interface IsolateSettings {
  readonly revision: string;
  readonly env: Record<string, string>;
  readonly app: AppContext;
}

/** A call of `ctx`, answered on behalf of one run. */
export type CallHandler = (call: CallRequest) => Promise<CallResult>;

export type CallResult = { ok: true; value: unknown; tail?: Bytes } | { ok: false; error: CallError };

export interface Job {
  version: IsolateVersion;
  /** Read when the run is sent, so that a change takes effect on the next invocation. */
  settings: () => IsolateSettings;
  request: InvocationRequest;
  context: RunContext;
  timeoutMs: number;
  /** Aborts when whoever called is gone. Asked for only once a run lasts: most are over before that matters. */
  signal: () => AbortSignal;
  onCall: CallHandler;
  /** Called once, when nothing of the run goes on: open transactions are to be rolled back. */
  onEnd?: () => void;
}

export type RunJob = (job: Job) => Promise<Outcome>;
