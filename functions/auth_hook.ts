// The post-auth hook: a function of the app that is told who signed in. It runs as the service, also while the app is
// paused and without an http trigger; the sign-in neither waits for it nor fails with it, and its log says how it went.

import type { App, AppRegistry } from "../apps/app_registry.ts";
import type { AuthEvent, AuthHook } from "../auth/users/mod.ts";
import { newUuid, type RequestId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { Clock } from "../core/clock.ts";
import { serviceIdentity } from "../core/principal.ts";
import { anonymousCaller, type FunctionCaller } from "./callers.ts";
import { requestHeaders } from "./forwarded_headers.ts";
import type { FunctionRegistry } from "./function_registry.ts";
import type { Invoker } from "./invoke.ts";

export interface AuthHookParts {
  apps: AppRegistry;
  functions: FunctionRegistry;
  invoker: Invoker;
  clock: Clock;
  log: Logger;
  apiBase: () => string;
}

const hookCaller: FunctionCaller = { ...anonymousCaller, identity: serviceIdentity };

export function createAuthHook(parts: AuthHookParts): AuthHook {
  const { apps, functions, invoker, clock, log, apiBase } = parts;

  async function run(app: App, name: string, event: AuthEvent): Promise<void> {
    const fn = await functions.find(app.id, name);
    if (fn === null) {
      log.warn("The post-auth hook of an app is a function that it does not have", {
        app: app.id,
        function: name,
      });
      return;
    }
    const path = `/v1/${app.id}/fn/${fn.name}`;
    const outcome = await invoker.run({
      id: newUuid<RequestId>(),
      app,
      fn,
      caller: hookCaller,
      request: {
        method: "POST",
        url: `${apiBase()}${path}`,
        headers: requestHeaders([["content-type", "application/json"]], app.id, hookCaller),
        body: new TextEncoder().encode(JSON.stringify(event)),
      },
      trigger: {
        type: "auth_hook",
        id: null,
        attempt: 1,
        time: new Date(clock.now()).toISOString(),
        config: { event: event.event },
      },
      path: `/auth_hook/${fn.name}`,
      ip: null,
      signal: () => new AbortController().signal,
      depth: 0,
      whenPaused: "run",
    });
    // Nobody reads the answer: one that flows would keep the run open.
    const body = outcome.kind === "responded" ? outcome.response.body : null;
    if (body instanceof ReadableStream) await body.cancel();
  }

  return ({ id }, event) => {
    void (async () => {
      try {
        const app = await apps.find(id);
        const name = app?.auth.hookFunction ?? null;
        if (app !== null && name !== null) await run(app, name, event);
      } catch (error) {
        log.error("A post-auth hook could not be run", { app: id, error });
      }
    })();
  };
}
