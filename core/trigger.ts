// What can start a function. A function has at most one trigger of each type.

export const triggerTypes = ["http", "cron", "s3_upload", "webhook", "websocket"] as const;

export type TriggerType = (typeof triggerTypes)[number];

/** A trigger as its function's developer declared it; unknown keys of `config` are kept. */
export interface TriggerDeclaration {
  type: TriggerType;
  config: Record<string, unknown>;
  enabled: boolean;
}

/** Who may call an http trigger. */
export type HttpAuth = "required" | "optional" | "none";

/** Why an invocation runs, as it stands in its log row; `invoke` is ctx.invoke, `test` the platform's own endpoint. */
export type InvocationCause = TriggerType | "invoke" | "test" | "agent" | "auth_hook";
