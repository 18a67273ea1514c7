// The one way to run a function. Every trigger, the test endpoint and ctx.invoke build an Invocation and come here; the
// pause switch is looked at here, and exactly one log row is written however the run ends.

import type { App } from "../apps/app_registry.ts";
import { AppError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { QuotaLimits } from "../core/quotas.ts";
import type {
  InvocationRequest,
  InvocationResponse,
  Outcome,
  RunReport,
  TriggerContext,
} from "../core/invocation.ts";
import type { RequestId } from "../core/ids.ts";
import type { AppDatabases } from "../db/mod.ts";
import type { RunJob } from "../isolate/mod.ts";
import { isolateSettings } from "./app_context.ts";
import { type FunctionCaller, loopbackCaller } from "./callers.ts";
import { CtxCalls, type InvokeAnswer, type InvokeRequest } from "./ctx_calls.ts";
import { requestHeaders } from "./forwarded_headers.ts";
import type { FunctionRegistry, LiveFunction } from "./function_registry.ts";
import type { InvocationLog } from "./invocation_log.ts";
import { outcomeError, outcomeMessage } from "./outcome_error.ts";

/** How deep calls by ctx.invoke may nest. */
const maxDepth = 4;
/** Longest body that ctx.invoke hands from one function to another. */
const maxNestedBytes = 10 * 1024 * 1024;

export interface Invocation {
  /** Id of the request, the log row and the `x-request-id` header. */
  id: RequestId;
  app: App;
  fn: LiveFunction;
  caller: FunctionCaller;
  request: InvocationRequest;
  trigger: TriggerContext;
  /** Path as the log shows it: the public one for http, `/<trigger>/<name>` otherwise. */
  path: string;
  ip: string | null;
  /** Aborts when the caller is gone. */
  signal: () => AbortSignal;
  depth: number;
  /** The platform's own test endpoint runs functions of a paused app. */
  whenPaused: "refuse" | "run";
}

export interface InvokerParts {
  run: RunJob;
  registry: FunctionRegistry;
  databases: AppDatabases;
  quotas: QuotaLimits;
  log: InvocationLog;
  clock: Clock;
  /** Origin of the public API, without a trailing slash. */
  apiBase: () => string;
}

export class Invoker {
  readonly #parts: InvokerParts;
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(parts: InvokerParts) {
    this.#parts = parts;
  }

  /**
   * Runs the function and answers what it answered.
   * @throws {AppError} APP_PAUSED, or the FUNCTION_… code of how the run ended; the owner's log has the rest.
   */
  async invoke(invocation: Invocation): Promise<InvocationResponse> {
    const outcome = await this.run(invocation);
    if (outcome.kind === "responded") return outcome.response;
    throw outcomeError(outcome, invocation.fn.name);
  }

  /** The same, with how it ended as a value. @throws {AppError} APP_PAUSED, before anything runs. */
  async run(invocation: Invocation): Promise<Outcome> {
    const { app, fn } = invocation;
    if (app.paused !== null && invocation.whenPaused === "refuse") throw pausedError(app);
    const { registry, databases, quotas, clock, apiBase } = this.#parts;
    // Made at the first call of ctx: many a function makes none.
    let calls: CtxCalls | undefined;
    const callsOf = () =>
      calls ??= new CtxCalls({
        app,
        identity: invocation.caller.identity,
        databases,
        quotas,
        invoke: (request, signal) => this.#nested(invocation, request, signal),
      });
    this.#running++;
    const startedAt = clock.now();
    const started = clock.monotonic();
    const outcome = await this.#parts.run({
      version: {
        id: fn.versionId,
        appId: app.id,
        functionName: fn.name,
        memoryLimitMb: fn.memoryLimitMb,
        egress: app.egress,
        bundle: () => registry.bundle(fn.versionId),
      },
      settings: () => isolateSettings(app, fn, apiBase()),
      request: invocation.request,
      context: {
        user: invocation.caller.user,
        caller: invocation.caller.caller,
        request: { id: invocation.id, ip: invocation.ip, country: null, functionName: fn.name },
        trigger: invocation.trigger,
      },
      timeoutMs: fn.timeoutMs,
      signal: invocation.signal,
      onCall: (call) => callsOf().answer(call),
      onEnd: () => calls?.end(),
    });
    const durationMs = clock.monotonic() - started;
    void outcome.report.then((report) => {
      this.#record(invocation, outcome, report, startedAt, durationMs);
      if (--this.#running === 0) this.#idle.splice(0).forEach((resolve) => resolve());
    });
    return outcome;
  }

  /** Resolves when no run that began before goes on; its rows are with the log then. */
  async settled(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** `ctx.invoke`: another function of the same app, with the same user and role, one step deeper. */
  async #nested(outer: Invocation, wanted: InvokeRequest, signal: AbortSignal): Promise<InvokeAnswer> {
    const { app } = outer;
    const depth = outer.depth + 1;
    if (depth > maxDepth) {
      throw new AppError(
        "QUOTA_LIMIT_EXCEEDED",
        `Cannot invoke "${wanted.name}": calls by ctx.invoke nest ${maxDepth} deep at most`,
        {
          details: { limit: maxDepth, used: outer.depth, setting: null },
          remediation: "Return a result to the caller instead of calling on.",
        },
      );
    }
    const fn = await this.#parts.registry.find(app.id, wanted.name);
    if (fn === null) {
      throw new AppError(
        "RESOURCE_NOT_FOUND",
        `Cannot invoke "${wanted.name.slice(0, 100)}": the app has no such function`,
      );
    }
    const caller = loopbackCaller(app, outer.caller);
    const path = `/v1/${app.id}/fn/${fn.name}`;
    const given: [string, string][] = wanted.headers.filter(([name]) =>
      name !== "content-type" && name !== "authorization"
    );
    const inner: Invocation = {
      id: crypto.randomUUID() as RequestId,
      app,
      fn,
      caller,
      request: {
        method: wanted.method,
        url: `${this.#parts.apiBase()}${path}`,
        headers: [
          ...requestHeaders([...given, ["content-type", "application/json"]], app.id, caller),
          ["x-butterbase-loop-depth", String(depth)],
          ["x-butterbase-caller-source-fn", outer.fn.name],
        ],
        body: wanted.body === null ? null : new TextEncoder().encode(wanted.body),
      },
      trigger: {
        type: "invoke",
        id: null,
        attempt: 1,
        time: new Date(this.#parts.clock.now()).toISOString(),
        config: {},
      },
      path,
      ip: outer.ip,
      signal: () => signal,
      depth,
      whenPaused: outer.whenPaused,
    };
    const { status, headers, body } = await this.invoke(inner);
    return { status, headers, body: await wholeBody(body, fn.name) };
  }

  #record(
    invocation: Invocation,
    outcome: Outcome,
    report: RunReport,
    startedAt: number,
    durationMs: number,
  ): void {
    const { app, fn, caller, trigger, request } = invocation;
    const { status, message, stack } = endingOf(outcome, report, fn.name);
    this.#parts.log.record({
      id: invocation.id,
      app_id: app.id,
      function_id: fn.id,
      version_id: fn.versionId,
      functionName: fn.name,
      trigger_type: trigger.type,
      method: request.method,
      path: invocation.path.slice(0, 2048),
      status: status >= 400 ? "failed" : "completed",
      status_code: status,
      duration_ms: Math.round(durationMs),
      cpu_ms: Math.round(report.cpuMs * 1000) / 1000,
      memory_used_mb: Math.round(report.peakMemoryMb * 10) / 10,
      request_bytes: report.requestBytes,
      response_bytes: report.responseBytes,
      error_message: message,
      error_stack: stack,
      console_logs: report.console,
      user_id: caller.user?.id ?? null,
      caller_type: caller.caller.type,
      source_event_id: trigger.id,
      attempt_count: trigger.attempt,
      while_paused: app.paused !== null,
      started_at: new Date(startedAt),
      completed_at: new Date(this.#parts.clock.now()),
    });
  }
}

/** Status and error of the log row. */
function endingOf(
  outcome: Outcome,
  { late }: RunReport,
  name: string,
): { status: number; message: string | null; stack: string | null } {
  if (outcome.kind !== "responded") {
    const cancelled = outcome.kind === "stopped" && outcome.reason === "cancelled";
    // 499, as nginx logs a client that closed its request.
    return { status: cancelled ? 499 : outcomeError(outcome, name).status, ...outcomeMessage(outcome, name) };
  }
  const { status } = outcome.response;
  if (late?.kind === "stream_broke") return { status, message: late.error.message, stack: late.error.stack };
  if (late?.kind === "stopped" && late.reason !== "cancelled") {
    return { status, message: `Stopped after its answer: ${late.reason}`, stack: null };
  }
  return { status, message: status >= 400 ? `HTTP ${status}` : null, stack: null };
}

async function wholeBody(body: InvocationResponse["body"], name: string): Promise<Uint8Array<ArrayBuffer>> {
  if (body === null) return new Uint8Array(0);
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxNestedBytes) {
      throw new AppError(
        "QUOTA_LIMIT_EXCEEDED",
        `The answer of "${name}" is longer than the ${maxNestedBytes} bytes that ctx.invoke takes`,
        { details: { limit: maxNestedBytes, used: length, setting: null } },
      );
    }
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** What a paused app answers with. */
export function pausedError(app: App): AppError {
  return new AppError("APP_PAUSED", `The app "${app.id}" is paused`, {
    details: { paused_reason: app.paused?.reason ?? null },
  });
}
