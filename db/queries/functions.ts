// Functions, their versions and triggers in the control database.

import type { Sql, TransactionSql } from "postgres";
import type { AccountId, AppId, FunctionId, VersionId } from "../../core/ids.ts";
import type { TriggerDeclaration } from "../../core/trigger.ts";
import { transaction } from "../transaction.ts";

export interface FunctionRow {
  id: FunctionId;
  app_id: AppId;
  name: string;
  description: string | null;
  version_id: VersionId;
  timeout_ms: number;
  agent_tool: boolean;
  agent_tool_description: string | null;
  agent_tool_mode: "read_only" | "read_write";
  agent_tool_exposed_to: "developer_only" | "end_user";
  allow_service_key_impersonation: boolean;
  env_sealed: string | null;
  revision: string;
  invocation_count: string;
  error_count: string;
  total_duration_ms: string;
  last_invoked_at: Date | null;
  last_status: number | null;
  deployed_at: Date;
  deleted_at: Date | null;
  created_at: Date;
  updated_at: Date;
}

export interface VersionRow {
  id: VersionId;
  function_id: FunctionId;
  number: number;
  source: string;
  content_hash: string;
  memory_limit_mb: number;
  deployed_by: AccountId;
  created_at: Date;
}

/** A function with what a call of it needs. */
export interface LiveFunctionRow extends FunctionRow {
  version_number: number;
  memory_limit_mb: number;
  triggers: TriggerDeclaration[];
}

const triggersOf = (sql: Sql | TransactionSql) =>
  sql`
    coalesce((
      select jsonb_agg(
        jsonb_build_object('type', t.trigger_type, 'config', t.trigger_config, 'enabled', t.enabled)
        order by t.trigger_type
      ) from function_triggers t where t.function_id = f.id
    ), '[]') as triggers`;

/** The function by name, deleted or not. */
export async function findFunction(sql: Sql, appId: AppId, name: string): Promise<LiveFunctionRow | null> {
  const [row] = await sql<LiveFunctionRow[]>`
    select f.*, v.number as version_number, v.memory_limit_mb, ${triggersOf(sql)}
    from functions f join function_versions v on v.id = f.version_id
    where f.app_id = ${appId} and f.name = ${name}`;
  return row ?? null;
}

/** Locks the function for a change: those that come at the same time follow one another. */
export async function lockFunction(
  tx: TransactionSql,
  appId: AppId,
  name: string,
): Promise<LiveFunctionRow | null> {
  // A function that does not exist has no row to lock; its name has a lock of its own.
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${appId}/${name}`}, 7))`;
  const [row] = await tx<LiveFunctionRow[]>`
    select f.*, v.number as version_number, v.memory_limit_mb, ${triggersOf(tx)}
    from functions f join function_versions v on v.id = f.version_id
    where f.app_id = ${appId} and f.name = ${name} for update of f`;
  return row ?? null;
}

export interface NewVersion {
  id: VersionId;
  function_id: FunctionId;
  app_id: AppId;
  source: string;
  bundle: string;
  source_map: string;
  content_hash: string;
  memory_limit_mb: number;
  env_revision: string;
  npm_packages: string[];
  deployed_by: AccountId;
}

/** Adds a version with the function's next number. */
export async function insertVersion(tx: TransactionSql, version: NewVersion): Promise<number> {
  const [row] = await tx<{ number: number }[]>`
    insert into function_versions
      (id, function_id, app_id, number, source, bundle, source_map, content_hash, memory_limit_mb, env_revision,
       npm_packages, deployed_by)
    values
      (${version.id}, ${version.function_id}, ${version.app_id},
       1 + coalesce((select max(number) from function_versions where function_id = ${version.function_id}), 0),
       ${version.source}, ${version.bundle}, ${version.source_map}, ${version.content_hash},
       ${version.memory_limit_mb}, ${version.env_revision}, ${version.npm_packages}, ${version.deployed_by})
    returning number`;
  return row?.number ?? 1;
}

export type FunctionSettings = Pick<
  FunctionRow,
  | "description"
  | "timeout_ms"
  | "agent_tool"
  | "agent_tool_description"
  | "agent_tool_mode"
  | "agent_tool_exposed_to"
  | "allow_service_key_impersonation"
  | "env_sealed"
>;

/** Makes the function, or moves its live pointer and revives it. */
export async function upsertFunction(
  tx: TransactionSql,
  identity: { id: FunctionId; app_id: AppId; name: string; version_id: VersionId },
  settings: FunctionSettings,
): Promise<FunctionRow> {
  const columns = { ...identity, ...settings, deployed_at: new Date() };
  const { id: _id, app_id: _app, name: _name, ...changed } = columns;
  const [row] = await tx<FunctionRow[]>`
    insert into functions ${tx(columns)}
    on conflict (app_id, name) do update
    set ${tx(changed)}, deleted_at = null, updated_at = now(), revision = functions.revision + 1
    returning *`;
  return row as FunctionRow;
}

export async function replaceTriggers(
  tx: TransactionSql,
  { functionId, appId }: { functionId: FunctionId; appId: AppId },
  triggers: readonly TriggerDeclaration[],
): Promise<void> {
  await tx`
    delete from function_triggers where function_id = ${functionId}
      and trigger_type <> all (${triggers.map((trigger) => trigger.type)})`;
  for (const { type, config, enabled } of triggers) {
    await tx`
      insert into function_triggers (id, function_id, app_id, trigger_type, trigger_config, enabled)
      values (${crypto.randomUUID()}, ${functionId}, ${appId}, ${type}, ${
      tx.json(config as never)
    }, ${enabled})
      on conflict (function_id, trigger_type) do update
      set trigger_config = excluded.trigger_config, enabled = excluded.enabled, updated_at = now()`;
  }
}

export async function readBundle(sql: Sql, id: VersionId): Promise<string | null> {
  const [row] = await sql<{ bundle: string }[]>`select bundle from function_versions where id = ${id}`;
  return row?.bundle ?? null;
}

export async function readSourceMap(sql: Sql, id: VersionId): Promise<string | null> {
  const [row] = await sql<
    { source_map: string }[]
  >`select source_map from function_versions where id = ${id}`;
  return row?.source_map ?? null;
}

export async function readSource(sql: Sql, id: VersionId): Promise<string | null> {
  const [row] = await sql<{ source: string }[]>`select source from function_versions where id = ${id}`;
  return row?.source ?? null;
}

/** A live function with its figures of the last 24 hours. */
export interface ListedFunctionRow extends LiveFunctionRow {
  day_calls: number;
  day_errors: number;
  day_avg_ms: number | null;
}

export async function listFunctions(sql: Sql, appId: AppId): Promise<ListedFunctionRow[]> {
  return await sql<ListedFunctionRow[]>`
    select f.*, v.number as version_number, v.memory_limit_mb, ${triggersOf(sql)},
      d.calls as day_calls, d.errors as day_errors, d.avg_ms as day_avg_ms
    from functions f
    join function_versions v on v.id = f.version_id
    cross join lateral (
      select count(*)::int as calls, count(*) filter (where status_code >= 400)::int as errors,
        avg(duration_ms)::float8 as avg_ms
      from function_invocations i
      where i.function_id = f.id and i.started_at > now() - interval '24 hours' and i.status in ('completed', 'failed')
    ) d
    where f.app_id = ${appId} and f.deleted_at is null
    order by f.name`;
}

export async function listFunctionNames(sql: Sql, appId: string): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from functions where app_id = ${appId} and deleted_at is null order by name`;
  return rows.map(({ name }) => name);
}

/** `null` when there is no such live function. */
export async function markFunctionDeleted(sql: Sql, appId: AppId, name: string): Promise<FunctionRow | null> {
  const [row] = await sql<FunctionRow[]>`
    update functions set deleted_at = now(), updated_at = now(), revision = revision + 1
    where app_id = ${appId} and name = ${name} and deleted_at is null returning *`;
  return row ?? null;
}

/** Changes the sealed env in one step; `null` when there is no such live function. */
export async function updateFunctionEnv(
  sql: Sql,
  { appId, name }: { appId: AppId; name: string },
  merge: (sealed: string | null, id: FunctionId) => Promise<string>,
): Promise<FunctionRow | null> {
  return await transaction(sql, async (tx) => {
    const [row] = await tx<{ id: FunctionId; env_sealed: string | null }[]>`
      select id, env_sealed from functions
      where app_id = ${appId} and name = ${name} and deleted_at is null for update`;
    if (row === undefined) return null;
    const sealed = await merge(row.env_sealed, row.id);
    const [updated] = await tx<FunctionRow[]>`
      update functions set env_sealed = ${sealed}, updated_at = now(), revision = revision + 1
      where id = ${row.id} returning *`;
    return updated ?? null;
  });
}

export async function updateFunctionSettings(
  sql: Sql,
  { appId, name }: { appId: AppId; name: string },
  settings: { allow_service_key_impersonation: boolean },
): Promise<FunctionRow | null> {
  const [row] = await sql<FunctionRow[]>`
    update functions set ${sql(settings)}, updated_at = now(), revision = revision + 1
    where app_id = ${appId} and name = ${name} and deleted_at is null returning *`;
  return row ?? null;
}
