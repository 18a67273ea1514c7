// What a worker is told of the version that it loads, and of each run.

import type { IsolateVersion, Job } from "./job.ts";
import type { EnvUpdate, InvokeHead, LoadHead } from "./protocol/messages.ts";

export function loadHead(
  { functionName, memoryLimitMb }: IsolateVersion,
  { app, env }: EnvUpdate,
  { waitUntilMs, quotas }: Pick<LoadHead, "waitUntilMs" | "quotas">,
): LoadHead {
  return { functionName, app, env, memoryLimitMb, waitUntilMs, quotas };
}

export function invokeHead({ request, context }: Job): InvokeHead {
  const { body } = request;
  return {
    method: request.method,
    url: request.url,
    headers: request.headers,
    body: body === null ? "none" : body instanceof Uint8Array ? "whole" : "stream",
    user: context.user,
    caller: context.caller,
    request: context.request,
    trigger: context.trigger,
  };
}
