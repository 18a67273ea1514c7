// Functions as the management routes show them: names and case are the contract's.

import type { TriggerDeclaration } from "../core/trigger.ts";
import type { ListedFunctionRow, LiveFunctionRow } from "../db/queries/functions.ts";
import type { LoggedInvocation } from "../db/queries/invocations.ts";

export interface TriggerView {
  type: string;
  config: Record<string, unknown>;
  enabled: boolean;
}

/** A secret of a webhook is never shown. */
export function triggerViews(triggers: readonly TriggerDeclaration[]): TriggerView[] {
  return [...triggers].sort((a, b) => a.type < b.type ? -1 : 1).map(({ type, config, enabled }) => ({
    type,
    config: "secret" in config ? { ...config, secret: "***" } : config,
    enabled,
  }));
}

export function functionUrl(
  apiBase: string,
  fn: { app_id: string; name: string },
  triggers: readonly { type: string }[],
) {
  return triggers.some(({ type }) => type === "http") ? `${apiBase}/v1/${fn.app_id}/fn/${fn.name}` : null;
}

function agentFields(row: LiveFunctionRow) {
  const { agent_tool, agent_tool_description, agent_tool_mode, agent_tool_exposed_to } = row;
  return { agent_tool, agent_tool_description, agent_tool_mode, agent_tool_exposed_to };
}

export function listedFunction(row: ListedFunctionRow, apiBase: string) {
  const errorRate = row.day_calls === 0 ? 0 : row.day_errors / row.day_calls;
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    triggers: triggerViews(row.triggers),
    url: functionUrl(apiBase, row, row.triggers),
    status: errorRate > 0.1 ? "error" as const : "active" as const,
    deployedAt: row.deployed_at.toISOString(),
    lastInvoked: row.last_invoked_at?.toISOString() ?? null,
    lastStatus: row.last_status,
    invocationCount: Number(row.invocation_count),
    errorRate,
    avgDuration: rounded(row.day_avg_ms ?? 0),
    ...agentFields(row),
    allow_service_key_impersonation: row.allow_service_key_impersonation,
  };
}

export function functionDetail(row: LiveFunctionRow, source: string, envKeys: string[]) {
  const count = Number(row.invocation_count);
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    code: source,
    triggers: triggerViews(row.triggers),
    timeoutMs: row.timeout_ms,
    memoryLimitMb: row.memory_limit_mb,
    deployedAt: row.deployed_at.toISOString(),
    lastInvoked: row.last_invoked_at?.toISOString() ?? null,
    invocationCount: count,
    errorCount: Number(row.error_count),
    avgDuration: count === 0 ? 0 : rounded(Number(row.total_duration_ms) / count),
    version: row.version_number,
    ...agentFields(row),
    allow_service_key_impersonation: row.allow_service_key_impersonation,
    envKeys,
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** One line of the log. */
export function logView(row: LoggedInvocation) {
  return {
    id: row.id,
    timestamp: row.started_at.toISOString(),
    method: row.method,
    path: row.path,
    statusCode: row.status_code,
    duration: row.duration_ms,
    cpuMs: row.cpu_ms,
    memoryUsed: row.memory_used_mb,
    requestBytes: Number(row.request_bytes),
    responseBytes: Number(row.response_bytes),
    error: row.error_message,
    stack: row.error_stack,
    consoleLogs: row.console_logs,
    triggerType: row.trigger_type,
    status: row.status,
    eventId: row.source_event_id,
    attempt: row.attempt_count,
    version: row.version_number,
    userId: row.user_id,
    caller: row.caller_type,
    whilePaused: row.while_paused,
    requestId: row.id,
  };
}

export type LogView = ReturnType<typeof logView>;
