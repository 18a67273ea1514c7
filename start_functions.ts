// Functions as main.ts wires them: deploying them, running them, and the log of it.

import { join } from "node:path";
import type { Clock } from "./core/clock.ts";
import { type Config, quotaLimits } from "./core/config.ts";
import type { Logger } from "./core/log.ts";
import type { Sealer } from "./core/sealing.ts";
import { Turnstile } from "./core/turnstile.ts";
import type { Database } from "./db/mod.ts";
import { createFunctionRegistry, type FunctionRegistry } from "./functions/function_registry.ts";
import { Functions } from "./functions/functions.ts";
import { InvocationLog } from "./functions/invocation_log.ts";
import { Invoker } from "./functions/invoke.ts";
import { bundleSource, prepareBundler } from "./functions/source/mod.ts";
import type { Supervisor } from "./isolate/mod.ts";

export interface FunctionsStart {
  config: Config;
  database: Database;
  sealer: Sealer;
  isolates: Supervisor;
  clock: Clock;
  log: Logger;
  /** Origin that callers and functions reach the platform by. */
  apiBase: () => string;
  /** Ends them with the server. */
  opened: AsyncDisposableStack;
}

export interface StartedFunctions {
  functionRegistry: FunctionRegistry;
  invocationLog: InvocationLog;
  functions: Functions;
  invoker: Invoker;
}

export async function startFunctions(
  { config, database, sealer, isolates, clock, log, apiBase, opened }: FunctionsStart,
): Promise<StartedFunctions> {
  const { control: sql, notices } = database;
  const functionRegistry = await createFunctionRegistry({ sql, notices, sealer });
  functionRegistry.onReplaced((former) => isolates.retire(former));
  const invocationLog = new InvocationLog({
    sql,
    clock,
    log,
    retentionDays: config.BUTTERBASE_LOG_RETENTION_DAYS,
  });
  await invocationLog.open();
  opened.use(invocationLog);
  const bundling = {
    cacheDir: join(config.BUTTERBASE_DATA_DIR, "cache", "bundler"),
    environment: Deno.env.toObject(),
  };
  const preparing = new AbortController();
  const prepared = prepareBundler({ ...bundling, signal: preparing.signal }).catch((error) => {
    if (!preparing.signal.aborted) log.error("Functions cannot be deployed", { error });
  });
  opened.defer(() => {
    preparing.abort();
    return prepared;
  });
  // Each takes processes and memory of its own: a hundred deploys at once must not take the node.
  const bundles = new Turnstile({ atOnce: 2, waiting: 64 });
  const functions = new Functions({
    sql,
    sealer,
    registry: functionRegistry,
    log: invocationLog,
    bundle: async (code) => {
      // Two processes that put the bundler's parts in place at once get in each other's way.
      await prepared;
      return await bundles.pass("deploy", () => bundleSource(code, bundling));
    },
    apiBase,
  });
  const invoker = new Invoker({
    run: (job) => isolates.run(job),
    registry: functionRegistry,
    databases: database.apps,
    quotas: quotaLimits(config),
    log: invocationLog,
    clock,
    apiBase,
  });
  return { functionRegistry, invocationLog, functions, invoker };
}
