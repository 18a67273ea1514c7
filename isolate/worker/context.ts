// `ctx`, the second argument of a handler: who calls, which app, and what the platform does on request.

import type {
  AppContext,
  Caller,
  FunctionUser,
  RequestContext,
  TriggerContext,
} from "../../core/invocation.ts";
import type { InvokeHead } from "../protocol/messages.ts";
import type { CallAnswer, CallOf } from "./calls.ts";
import { createDatabase, type FunctionDatabase } from "./database.ts";

export interface InvokeOptions {
  method?: string;
  headers?: HeadersInit;
}

export interface FunctionContext {
  readonly env: Readonly<Record<string, string>>;
  readonly db: FunctionDatabase;
  readonly user: FunctionUser | null;
  readonly caller: Caller;
  readonly app: AppContext;
  readonly request: RequestContext;
  readonly trigger: TriggerContext;
  readonly idempotency: { claim(key: string, options?: ClaimOptions): Promise<boolean> };
  /** Keeps the isolate at work on `promise` after the answer, for up to 30 s. */
  waitUntil(promise: unknown): void;
  /** Calls another function of the app as this one's caller; rejects when calls nest deeper than 4. */
  invoke(name: string, body?: unknown, options?: InvokeOptions): Promise<Response>;
}

export interface ClaimOptions {
  scope?: string;
  ttlSeconds?: number;
}

export interface ContextParts {
  head: InvokeHead;
  app: AppContext;
  env: Readonly<Record<string, string>>;
  call: (request: CallOf) => Promise<CallAnswer>;
  waitUntil: (promise: unknown) => void;
}

export function createContext({ head, app, env, call, waitUntil }: ContextParts): FunctionContext {
  let db: FunctionDatabase | undefined;
  return {
    env,
    app,
    user: head.user,
    caller: head.caller,
    request: head.request,
    trigger: head.trigger,
    get db() {
      return db ??= createDatabase(call);
    },
    idempotency: { claim: (key, options) => claim(call, key, options) },
    waitUntil,
    invoke: (name, body, options) => invoke(call, name, body, options),
  };
}

async function claim(call: ContextParts["call"], key: string, options: ClaimOptions = {}): Promise<boolean> {
  const { scope = "default", ttlSeconds } = options ?? {};
  if (typeof key !== "string" || key === "") {
    throw new TypeError("ctx.idempotency.claim needs a non-empty string as its key");
  }
  if (key.length > 255) {
    throw new RangeError(`An idempotency key may be 255 characters long: this one has ${key.length}`);
  }
  if (typeof scope !== "string") throw new TypeError("The scope of an idempotency key is a string");
  const seconds = typeof ttlSeconds === "number" && ttlSeconds > 0 ? Math.floor(ttlSeconds) : null;
  const { value } = await call({ method: "idempotency.claim", key, scope, ttlSeconds: seconds });
  return value as boolean;
}

async function invoke(
  call: ContextParts["call"],
  name: string,
  body: unknown,
  { method = "POST", headers }: InvokeOptions = {},
): Promise<Response> {
  if (typeof name !== "string") throw new TypeError("ctx.invoke needs the name of a function");
  const verb = method.toUpperCase();
  const bodiless = verb === "GET" || verb === "HEAD" || body === undefined;
  const text = bodiless ? null : typeof body === "string" ? body : JSON.stringify(body);
  const { value, tail } = await call({
    method: "invoke",
    name,
    verb,
    headers: headers === undefined ? [] : [...new Headers(headers)],
    body: text,
  });
  const answer = value as { status: number; headers: [string, string][] };
  const empty = answer.status === 204 || answer.status === 205 || answer.status === 304;
  return new Response(empty ? null : tail, { status: answer.status, headers: answer.headers });
}
