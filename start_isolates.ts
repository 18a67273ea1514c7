// The isolates as main.ts wires them: what their hosts may reach, and what ends them.

import { join } from "node:path";
import type { AppRegistry } from "./apps/app_registry.ts";
import type { Clock } from "./core/clock.ts";
import { type Config, quotaLimits } from "./core/config.ts";
import type { EgressRules } from "./core/egress/judge.ts";
import { OwnAddresses } from "./core/egress/own_addresses.ts";
import type { Logger } from "./core/log.ts";
import type { Database } from "./db/mod.ts";
import { prepareHostSockets, Supervisor } from "./isolate/mod.ts";

export interface IsolatesStart {
  config: Config;
  /** URL that the platform is reached by. */
  apiUrl: string;
  database: Database;
  appRegistry: AppRegistry;
  clock: Clock;
  log: Logger;
  /** Ends them with the server. */
  opened: AsyncDisposableStack;
}

/** `egress`: what the platform's own requests, and functions without lists of their app's, may reach now. */
export async function startIsolates(
  { config, apiUrl, database, appRegistry, clock, log, opened }: IsolatesStart,
): Promise<{ isolates: Supervisor; egress: () => EgressRules }> {
  const dataDir = config.BUTTERBASE_DATA_DIR;
  const own = new OwnAddresses({
    services: database.address === null ? [] : [database.address],
    api: { url: apiUrl, listenPort: config.PORT },
    allow: config.BUTTERBASE_EGRESS_ALLOW,
  });
  await own.refresh();
  const egress = () => ({
    allow: config.BUTTERBASE_EGRESS_ALLOW,
    deny: [...config.BUTTERBASE_EGRESS_DENY, ...own.denied],
  });
  const isolates = opened.use(
    new Supervisor({
      limits: {
        warmHosts: config.BUTTERBASE_WARM_HOSTS,
        maxHosts: config.BUTTERBASE_MAX_HOSTS,
        maxHostsPerVersion: config.BUTTERBASE_MAX_HOSTS_PER_VERSION,
        concurrency: config.BUTTERBASE_HOST_CONCURRENCY,
        queueLength: config.BUTTERBASE_QUEUE_LENGTH,
        idleMs: config.BUTTERBASE_HOST_IDLE_SECONDS * 1000,
        streamIdleMs: config.BUTTERBASE_STREAM_IDLE_SECONDS * 1000,
        streamMaxMs: config.BUTTERBASE_STREAM_MAX_SECONDS * 1000,
        waitUntilMs: 30_000,
        quotas: quotaLimits(config),
        cpuMs: config.BUTTERBASE_CPU_MS,
      },
      egress: egress(),
      ipv6: config.BUTTERBASE_EGRESS_IPV6 === "allow",
      clock,
      log,
      socketDir: await prepareHostSockets(dataDir),
      denoDir: join(dataDir, "cache", "isolates"),
    }),
  );

  opened.use(own.watch({
    onChange: () => isolates.setEgress(egress()),
    onFailure: (error) => log.error("The platform's own addresses could not be looked up", { error }),
  }));

  // What runs when its app is paused or deleted, on whichever node that happens, is ended, not let run on; and what an
  // app may reach goes for the hosts that it has.
  async function appChanged(id: string): Promise<void> {
    try {
      const app = await appRegistry.find(id);
      if (app === null || app.paused !== null) {
        await isolates.stopApp(id, app === null ? "cancelled" : "paused");
      }
      if (app !== null) isolates.setAppEgress(id, app.egress);
    } catch (error) {
      log.error("A change of an app did not reach its isolates", { app: id, error });
    }
  }
  appRegistry.onChange((id) => {
    for (const each of id === null ? isolates.appIds() : [id]) void appChanged(each);
  });
  return { isolates, egress };
}
