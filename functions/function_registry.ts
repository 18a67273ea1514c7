// The functions as this node knows them, with all that a call needs: read once, kept until a notice says that they
// changed. Its size follows the functions that are called, not those that exist.

import type { AppId, FunctionId, VersionId } from "../core/ids.ts";
import { Lru } from "../core/lru.ts";
import type { Sealer } from "../core/sealing.ts";
import type { TriggerDeclaration } from "../core/trigger.ts";
import { type Env, openEnv } from "../apps/env.ts";
import type { Notices, Sql } from "../db/mod.ts";
import { findFunction, type LiveFunctionRow, readBundle } from "../db/queries/functions.ts";
import { type HttpTrigger, httpTriggerOf } from "./http_trigger.ts";

export interface LiveFunction {
  readonly id: FunctionId;
  readonly appId: AppId;
  readonly name: string;
  readonly versionId: VersionId;
  readonly versionNumber: number;
  readonly timeoutMs: number;
  readonly memoryLimitMb: number;
  readonly triggers: readonly TriggerDeclaration[];
  readonly http: HttpTrigger | null;
  readonly allowServiceKeyImpersonation: boolean;
  readonly env: Readonly<Env>;
  readonly revision: string;
}

export interface FunctionRegistry {
  /** The live function, or `null` when there is none, or it is deleted. */
  find(appId: AppId, name: string): Promise<LiveFunction | null> | LiveFunction | null;
  bundle(id: VersionId): Promise<Uint8Array<ArrayBuffer>>;
  /** Tells every node that the function changed. */
  changed(appId: AppId, name: string): Promise<void>;
  /** Called on this node when another version of the function is live, or none. */
  onReplaced(handler: (former: VersionId) => void): void;
}

export interface FunctionRegistryParts {
  sql: Sql;
  notices: Notices;
  sealer: Sealer;
}

const topic = "functions";
const nameForm = /^[A-Za-z0-9_-]{1,100}$/;

export function functionEnvPlace(id: FunctionId): string {
  return `function/${id}/env`;
}

export async function createFunctionRegistry(
  { sql, notices, sealer }: FunctionRegistryParts,
): Promise<FunctionRegistry> {
  const known = new Lru<string, { fn: LiveFunction | null }>(50_000);
  const bundles = new Lru<VersionId, Uint8Array<ArrayBuffer>>(64);
  /** Versions that were live on this node, by function: what a change retires. */
  const served = new Map<string, VersionId>();
  const handlers: ((former: VersionId) => void)[] = [];
  let epoch = 0;

  async function forget(key: string): Promise<void> {
    epoch++;
    known.delete(key);
    const former = served.get(key);
    if (former === undefined) return;
    const [appId, name] = key.split("/") as [AppId, string];
    const now = await load(appId, name);
    if (now?.versionId === former) return;
    if (now === null) served.delete(key);
    for (const handler of handlers) handler(former);
  }

  function forgetAll(): void {
    epoch++;
    known.clear();
    for (const key of [...served.keys()]) void forget(key).catch(() => {});
  }
  await notices.subscribe(topic, (payload) => void forget(payload).catch(() => forgetAll()));
  notices.onReconnect(forgetAll);

  async function load(appId: AppId, name: string): Promise<LiveFunction | null> {
    const key = `${appId}/${name}`;
    const started = epoch;
    const row = await findFunction(sql, appId, name);
    const fn = row === null || row.deleted_at !== null ? null : await liveFunction(row, sealer);
    if (started === epoch) known.set(key, { fn });
    if (fn !== null) served.set(key, fn.versionId);
    return fn;
  }

  return {
    find(appId, name) {
      const entry = known.get(`${appId}/${name}`);
      if (entry !== undefined) return entry.fn;
      return nameForm.test(name) ? load(appId, name) : null;
    },
    async bundle(id) {
      const held = bundles.get(id);
      if (held !== undefined) return held;
      const text = await readBundle(sql, id);
      if (text === null) throw new Error(`The bundle of version ${id} is gone`);
      const bytes = new TextEncoder().encode(text);
      bundles.set(id, bytes);
      return bytes;
    },
    async changed(appId, name) {
      await forget(`${appId}/${name}`);
      await notices.publish(topic, `${appId}/${name}`);
    },
    onReplaced: (handler) => void handlers.push(handler),
  };
}

async function liveFunction(row: LiveFunctionRow, sealer: Sealer): Promise<LiveFunction> {
  return {
    id: row.id,
    appId: row.app_id,
    name: row.name,
    versionId: row.version_id,
    versionNumber: row.version_number,
    timeoutMs: row.timeout_ms,
    memoryLimitMb: row.memory_limit_mb,
    triggers: row.triggers,
    http: httpTriggerOf(row.triggers),
    allowServiceKeyImpersonation: row.allow_service_key_impersonation,
    env: Object.freeze(await openEnv(sealer, row.env_sealed, functionEnvPlace(row.id))),
    revision: row.revision,
  };
}
