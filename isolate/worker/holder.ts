// Shows whose code holds the worker's thread: the async context is that of an invocation wherever its code goes on after
// an await, and V8 says when it does. Code that an event or a timer calls without a promise is nobody's here.

import type { Progress } from "../protocol/progress.ts";
import { printer } from "./console.ts";

type Hook = () => void;

interface RuntimeCore {
  setPromiseHooks(init: undefined, before: Hook, after: Hook, resolve: undefined): void;
}

/** From now on `progress` shows it. */
export function showHolder(progress: Progress): void {
  const { internal } = Deno as unknown as { internal: symbol };
  const { core } = (Deno as unknown as Record<symbol, { core: RuntimeCore }>)[internal] as {
    core: RuntimeCore;
  };
  // Bound, since user code may replace the method of the class.
  const current = printer.getStore.bind(printer);
  core.setPromiseHooks(
    undefined,
    () => progress.hold(current()?.id ?? 0),
    () => progress.hold(0),
    undefined,
  );
}
