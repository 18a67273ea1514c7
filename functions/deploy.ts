// Deploys: code in, an immutable version out, and the live pointer moved with its triggers and env in one transaction. A
// deploy that fails leaves the former version serving.

import type { App } from "../apps/app_registry.ts";
import { type EnvChange, mergeEnv, openEnv, sealEnv } from "../apps/env.ts";
import { type FunctionId, newUuid, type VersionId } from "../core/ids.ts";
import type { PlatformPrincipal } from "../core/principal.ts";
import type { Sealer } from "../core/sealing.ts";
import type { TriggerDeclaration } from "../core/trigger.ts";
import { type Sql, transaction } from "../db/mod.ts";
import {
  type FunctionRow,
  type FunctionSettings,
  insertVersion,
  type LiveFunctionRow,
  lockFunction,
  replaceTriggers,
  upsertFunction,
} from "../db/queries/functions.ts";
import { type FunctionDraft, functionLimits } from "./function_draft.ts";
import { functionEnvPlace, type FunctionRegistry } from "./function_registry.ts";
import type { BundledSource } from "./source/mod.ts";

export interface DeployParts {
  sql: Sql;
  sealer: Sealer;
  registry: FunctionRegistry;
  bundle(code: string): Promise<BundledSource>;
}

export interface Deployed {
  fn: FunctionRow;
  version: { id: VersionId; number: number };
  triggers: TriggerDeclaration[];
  envKeys: string[];
  warnings: { code: string; message: string }[];
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA with line and column for code that cannot run. */
export async function deploy(
  { sql, sealer, registry, bundle }: DeployParts,
  { app, draft, by }: { app: App; draft: FunctionDraft; by: PlatformPrincipal },
): Promise<Deployed> {
  const bundled = await bundle(draft.code);
  const deployed = await transaction(sql, async (tx): Promise<Deployed> => {
    const former = await lockFunction(tx, app.id, draft.name);
    const id = former?.id ?? newUuid<FunctionId>();
    const versionId = newUuid<VersionId>();
    const env = await mergedEnv(sealer, { id, former, change: draft.envVars, mode: draft.envMode });
    const fn = await upsertFunction(
      tx,
      { id, app_id: app.id, name: draft.name, version_id: versionId },
      { ...settingsOf(draft, former), env_sealed: env.sealed },
    );
    const number = await insertVersion(tx, {
      id: versionId,
      function_id: id,
      app_id: app.id,
      source: draft.code,
      bundle: bundled.bundle,
      source_map: bundled.sourceMap,
      content_hash: bundled.contentHash,
      memory_limit_mb: draft.memoryLimitMb ?? former?.memory_limit_mb ??
        functionLimits.memoryLimitMb.otherwise,
      env_revision: fn.revision,
      npm_packages: [...bundled.npmPackages],
      deployed_by: by.accountId,
    });
    const triggers = draft.triggers ?? former?.triggers ??
      [{ type: "http", config: { auth: "required" }, enabled: true }];
    await replaceTriggers(tx, { functionId: id, appId: app.id }, triggers);
    return {
      fn,
      triggers,
      version: { id: versionId, number },
      envKeys: env.keys,
      warnings: former === null || former.deleted_at !== null
        ? []
        : removedTriggers(former.triggers, triggers),
    };
  });
  await registry.changed(app.id, draft.name);
  return deployed;
}

/** A field that the draft leaves out keeps what is stored, also across a deletion. */
function settingsOf(
  draft: FunctionDraft,
  former: LiveFunctionRow | null,
): Omit<FunctionSettings, "env_sealed"> {
  return {
    description: draft.description ?? former?.description ?? null,
    timeout_ms: draft.timeoutMs ?? former?.timeout_ms ?? functionLimits.timeoutMs.otherwise,
    agent_tool: draft.agentTool ?? former?.agent_tool ?? false,
    agent_tool_description: draft.agentToolDescription ?? former?.agent_tool_description ?? null,
    agent_tool_mode: draft.agentToolMode ?? former?.agent_tool_mode ?? "read_only",
    agent_tool_exposed_to: draft.agentToolExposedTo ?? former?.agent_tool_exposed_to ?? "developer_only",
    allow_service_key_impersonation: draft.allowServiceKeyImpersonation ??
      former?.allow_service_key_impersonation ?? true,
  };
}

async function mergedEnv(
  sealer: Sealer,
  given: {
    id: FunctionId;
    former: LiveFunctionRow | null;
    change: EnvChange | undefined;
    mode: "merge" | "replace";
  },
): Promise<{ sealed: string | null; keys: string[] }> {
  const { id, former, change, mode } = given;
  const place = functionEnvPlace(id);
  const stored = mode === "replace" ? {} : await openEnv(sealer, former?.env_sealed ?? null, place);
  const env = mergeEnv(stored, change ?? {});
  const keys = Object.keys(env).sort();
  if (change === undefined && mode === "merge") return { sealed: former?.env_sealed ?? null, keys };
  return { sealed: await sealEnv(sealer, env, place), keys };
}

function removedTriggers(
  former: readonly TriggerDeclaration[],
  now: readonly TriggerDeclaration[],
): Deployed["warnings"] {
  return former.filter(({ type }) => !now.some((trigger) => trigger.type === type)).map(({ type }) => ({
    code: "TRIGGER_REMOVED",
    message: `The ${type} trigger of the former version is gone: name it in triggers to keep it.`,
  }));
}
