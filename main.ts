// The platform's program: everything meets here. STARTING → READY → DRAINING → STOPPED.

import { Apps } from "./apps/apps.ts";
import { createAppRegistry } from "./apps/app_registry.ts";
import { createAccounts } from "./auth/accounts.ts";
import { createEndUserTokens } from "./auth/end_user_tokens.ts";
import { checkMasterKey, loadMasterKey } from "./auth/master_key.ts";
import { createPlatformKeys } from "./auth/platform_keys.ts";
import { createOAuth } from "./auth/oauth/mod.ts";
import { type OpenedEndUsers, openEndUsers } from "./auth/users/mod.ts";
import { systemClock } from "./core/clock.ts";
import { type Config, ConfigError, readConfig } from "./core/config.ts";
import { AppError } from "./core/errors.ts";
import { createLogger, describeError, type Logger } from "./core/log.ts";
import { createSealer, deriveKey } from "./core/sealing.ts";
import { Catalogues } from "./data/catalogue/mod.ts";
import { RowSecurity } from "./data/rls/mod.ts";
import { Rest } from "./data/rest/mod.ts";
import { Schemas } from "./data/schema/mod.ts";
import { openDatabase } from "./db/mod.ts";
import { createAuthHook } from "./functions/auth_hook.ts";
import type { InvocationLog } from "./functions/invocation_log.ts";
import { createSampleApp } from "./functions/sample_app.ts";
import type { Supervisor } from "./isolate/mod.ts";
import { createRoutes } from "./routes/mod.ts";
import { startFunctions } from "./start_functions.ts";
import { startIsolates } from "./start_isolates.ts";
import helloCode from "./examples/hello.ts" with { type: "text" };

export interface Platform extends AsyncDisposable {
  /** Origin that the server listens on. */
  readonly origin: string;
  /** A URL to try, of the sample that the first start made; `null` on any other. */
  readonly sampleUrl: string | null;
  /** For tests and operators. */
  readonly isolates: Supervisor;
  readonly invocationLog: InvocationLog;
  readonly tokens: Awaited<ReturnType<typeof createEndUserTokens>>;
  readonly endUsers: OpenedEndUsers;
  /** Every route, `ALL` for those of any method. */
  readonly routes: readonly { method: string; path: string }[];
  stop(): Promise<void>;
}

export interface StartOptions {
  log?: Logger;
  /** Shows the key that the first start makes: this once, and to nobody else. */
  onOwnerKey?: (key: string) => void;
}

/** Starts a server; resolves once it answers. @throws {AppError|Error} when it cannot, with nothing left running. */
export async function startPlatform(config: Config, options: StartOptions = {}): Promise<Platform> {
  const { log = createLogger({ level: config.BUTTERBASE_LOG_LEVEL }), onOwnerKey = () => {} } = options;
  const dataDir = config.BUTTERBASE_DATA_DIR;
  await Deno.mkdir(dataDir, { recursive: true });
  await using opened = new AsyncDisposableStack();

  const master = await loadMasterKey(config.BUTTERBASE_MASTER_KEY, dataDir);
  const sealer = await createSealer(master);
  const database = opened.use(
    await openDatabase({ config, dataDir, log, secret: await deriveKey(master, "app database roles") }),
  );
  const { control: sql, notices } = database;
  await checkMasterKey(sql, sealer);

  const clock = systemClock;
  const keys = await createPlatformKeys({ sql, notices, clock });
  const accounts = createAccounts({ sql, keys });
  const tokens = await createEndUserTokens({ sql, notices, sealer, clock });
  const appRegistry = await createAppRegistry({ sql, notices, sealer });
  const region = config.BUTTERBASE_REGION;
  const apps = new Apps({ sql, databases: database.apps, registry: appRegistry, sealer, log, region });
  opened.defer(() => apps.settled());

  const apiUrl = config.BUTTERBASE_PUBLIC_URL ?? `http://${shownHost(config.HOST)}:${config.PORT}`;
  const { isolates, egress } = await startIsolates({
    config,
    apiUrl,
    database,
    appRegistry,
    clock,
    log,
    opened,
  });

  let origin = "";
  const apiBase = () => config.BUTTERBASE_PUBLIC_URL ?? origin;
  const { functionRegistry, invocationLog, functions, invoker } = await startFunctions({
    config,
    database,
    sealer,
    isolates,
    clock,
    log,
    apiBase,
    opened,
  });

  const smtpUrl = config.BUTTERBASE_SMTP_URL?.reveal();
  const endUsers = opened.use(openEndUsers({
    sql,
    tokens,
    sealer,
    clock,
    log,
    hook: createAuthHook({ apps: appRegistry, functions: functionRegistry, invoker, clock, log, apiBase }),
    secrets: {
      sessions: await deriveKey(master, "refresh tokens of end users"),
      codes: await deriveKey(master, "codes mailed to end users"),
    },
    mail: {
      smtp: smtpUrl === undefined ? null : { url: smtpUrl, from: config.BUTTERBASE_MAIL_FROM },
      inLog: config.BUTTERBASE_MAIL_LOG,
    },
    limits: config.BUTTERBASE_AUTH_LIMITS,
  }));
  const oauth = createOAuth({ sql, sealer, users: endUsers.users, egress, log });

  const catalogues = new Catalogues({ databases: database.apps, notices, clock, log });
  const rest = new Rest({
    databases: database.apps,
    catalogues,
    limits: {
      rows: config.BUTTERBASE_REST_ROWS,
      bytes: config.BUTTERBASE_REST_BYTES,
      statementMs: config.BUTTERBASE_REST_SECONDS * 1000,
    },
  });
  const schemas = new Schemas({ databases: database.apps, catalogues, control: sql });
  const rls = new RowSecurity({ databases: database.apps, catalogues, control: sql });

  let ready = false;
  const routes = createRoutes({
    log,
    health: { ready: () => ready, controlDb: async () => (await database.health()).ok },
    accounts,
    keys,
    tokens,
    endUsers,
    oauth,
    apps,
    appRegistry,
    functions,
    functionRegistry,
    invoker,
    schemas,
    rest,
    rls,
    apiBase,
    ip: config.BUTTERBASE_TRUST_PROXY === "on" ? "proxy" : "peer",
  });
  const server = Deno.serve({
    hostname: config.HOST,
    port: config.PORT,
    onListen: () => {},
    onError: (error) => {
      log.error("A request failed outside the routes", { error });
      return new Response("Internal error", { status: 500 });
    },
  }, (request, info) => routes.fetch(request, info as never));
  // Not for ever: a client that stalls in the middle of its request would hold up the end.
  opened.defer(() => within(1000, server.shutdown()));
  origin = `http://${shownHost(config.HOST)}:${server.addr.port}`;

  isolates.warmUp();
  await apps.resume();
  const ownerKey = await accounts.bootstrap(config.BUTTERBASE_BOOTSTRAP_KEY?.reveal(), onOwnerKey);
  let sampleUrl: string | null = null;
  if (ownerKey !== null && config.BUTTERBASE_SAMPLE_APP === "on") {
    try {
      const owner = await keys.check(ownerKey);
      const path = owner &&
        await createSampleApp({ apps, registry: appRegistry, functions, owner, code: helloCode });
      sampleUrl = path && `${apiBase()}${path}`;
    } catch (error) {
      // The server is whole without it.
      log.error("The app hello could not be made", { error });
    }
  }
  ready = true;

  const running = opened.move();
  let stopping: Promise<void> | undefined;

  /** Takes no more work, lets what runs finish, writes the log, and ends what was started. */
  async function drain(): Promise<void> {
    ready = false;
    await within(config.BUTTERBASE_DRAIN_SECONDS * 1000, Promise.all([server.shutdown(), invoker.settled()]));
    await isolates.close();
    await invoker.settled();
    await running.disposeAsync();
  }

  const stop = () => stopping ??= drain();
  return {
    origin,
    sampleUrl,
    isolates,
    invocationLog,
    tokens,
    endUsers,
    routes: routes.routes,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function shownHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

/** One line for the operator, with the way out; the whole error only where it is not a known one. */
function startFailure(error: unknown): string {
  if (error instanceof AppError) return `${error.message}\n${error.remediation}`;
  if (error instanceof ConfigError) return `${error.message}\ndocs/config.md lists the settings.`;
  if (error instanceof Deno.errors.AddrInUse) {
    return `The port is in use: ${error.message}\nSet PORT to a free one, or 0 for any.`;
  }
  return describeError(error);
}

if (import.meta.main) {
  let platform: Platform;
  try {
    platform = await startPlatform(readConfig(Deno.env.toObject()), {
      onOwnerKey: (key) => console.log(`platform key (shown once): ${key}`),
    });
  } catch (error) {
    console.error(startFailure(error));
    Deno.exit(1);
  }
  const end = () =>
    platform.stop().then(() => Deno.exit(0), (error) => {
      console.error(describeError(error));
      Deno.exit(1);
    });
  // Before it says that it is ready: from then on it may be told to end.
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, end);
  if (platform.sampleUrl !== null) console.log(`try it: curl ${platform.sampleUrl}`);
  console.log(`listening on ${platform.origin}`);
}
