// What a developer sends to deploy a function, read once into values that can only be good.

import { z } from "zod";
import { AppError } from "../core/errors.ts";
import { type TriggerDeclaration, triggerTypes } from "../core/trigger.ts";
import { type EnvChange, parseEnvChange } from "../apps/env.ts";
import { checkTriggerConfig } from "./http_trigger.ts";

export const functionLimits = {
  codeBytes: 2 * 1024 * 1024,
  timeoutMs: { least: 1, most: 300_000, otherwise: 30_000 },
  memoryLimitMb: { least: 64, most: 1024, otherwise: 128 },
} as const;

/** A deploy; what is `undefined` keeps its stored value on a redeploy. */
export interface FunctionDraft {
  name: string;
  code: string;
  description: string | undefined;
  envVars: EnvChange | undefined;
  /** `replace`: the env is what `envVars` says and nothing else. */
  envMode: "merge" | "replace";
  timeoutMs: number | undefined;
  memoryLimitMb: number | undefined;
  triggers: TriggerDeclaration[] | undefined;
  agentTool: boolean | undefined;
  agentToolDescription: string | undefined;
  agentToolMode: "read_only" | "read_write" | undefined;
  agentToolExposedTo: "developer_only" | "end_user" | undefined;
  allowServiceKeyImpersonation: boolean | undefined;
}

const within = ({ least, most }: { least: number; most: number }) =>
  z.int(`must be a whole number from ${least} to ${most}`)
    .min(least, `must be from ${least} to ${most}`).max(most, `must be from ${least} to ${most}`);

const trigger = z.object({
  type: z.enum(triggerTypes, `must be one of ${triggerTypes.join(", ")}`),
  config: z.record(z.string(), z.unknown(), "must be an object").default({}),
  enabled: z.boolean("must be true or false").default(true),
});

const draft = z.object({
  name: z.string("must be a string").regex(
    /^[A-Za-z0-9_-]{1,100}$/,
    "must be 1 to 100 letters, digits, hyphens and underscores",
  ),
  code: z.string("must be a string").min(1, "must not be empty"),
  description: z.string("must be a string").max(2000, "must be at most 2000 characters").optional(),
  envVars: z.unknown().optional(),
  replaceEnv: z.boolean("must be true or false").default(false),
  timeoutMs: within(functionLimits.timeoutMs).optional(),
  memoryLimitMb: within(functionLimits.memoryLimitMb).optional(),
  triggers: z.array(trigger, "must be an array").min(1, "must name at least one trigger").optional(),
  trigger: trigger.optional(),
  agent_tool: z.boolean("must be true or false").optional(),
  agent_tool_description: z.string("must be a string").max(500, "must be at most 500 characters").optional(),
  agent_tool_mode: z.enum(["read_only", "read_write"], "must be read_only or read_write").optional(),
  agent_tool_exposed_to: z.enum(["developer_only", "end_user"], "must be developer_only or end_user")
    .optional(),
  allow_service_key_impersonation: z.boolean("must be true or false").optional(),
});

/** @throws {AppError} VALIDATION_INVALID_SCHEMA with `path: reason` for each field that is wrong. */
export function parseFunctionDraft(body: unknown): FunctionDraft {
  const parsed = draft.safeParse(body);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
    throw invalid(issues.map(({ path, message }) => `${path || "body"}: ${message}`).join("; "), issues);
  }
  const given = parsed.data;
  const bytes = new TextEncoder().encode(given.code).length;
  if (bytes > functionLimits.codeBytes) {
    throw new AppError(
      "PAYLOAD_TOO_LARGE",
      `Cannot deploy "${given.name}": the code is ${bytes} bytes, at most ${functionLimits.codeBytes} are taken`,
    );
  }
  return {
    name: given.name,
    code: given.code,
    description: given.description,
    envVars: given.envVars === undefined ? undefined : parseEnvChange(given.envVars, { allowEmpty: true }),
    envMode: given.replaceEnv ? "replace" : "merge",
    timeoutMs: given.timeoutMs,
    memoryLimitMb: given.memoryLimitMb,
    triggers: readTriggers(given),
    agentTool: given.agent_tool,
    agentToolDescription: given.agent_tool_description,
    agentToolMode: given.agent_tool_mode,
    agentToolExposedTo: given.agent_tool_exposed_to,
    allowServiceKeyImpersonation: given.allow_service_key_impersonation,
  };
}

function readTriggers(given: z.infer<typeof draft>): TriggerDeclaration[] | undefined {
  const triggers = given.triggers ?? (given.trigger === undefined ? undefined : [given.trigger]);
  if (triggers === undefined) return undefined;
  const seen = new Set<string>();
  return triggers.map(({ type, config, enabled }, at) => {
    const path = `${given.triggers === undefined ? "trigger" : `triggers.${at}`}`;
    if (seen.has(type)) {
      throw invalid(
        `${path}.type: there are two "${type}" triggers, and a function has at most one of each type`,
        [
          { path: `${path}.type`, message: "at most one trigger of each type" },
        ],
      );
    }
    seen.add(type);
    return { type, enabled, config: checkTriggerConfig(type, config, `${path}.config`) };
  });
}

function invalid(message: string, details: unknown): AppError {
  return new AppError("VALIDATION_INVALID_SCHEMA", `Cannot deploy: ${message}`, { details });
}
