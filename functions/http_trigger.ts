// The http trigger of a function: who may call it, with which methods, under which path.

import { AppError } from "../core/errors.ts";
import type { HttpAuth, TriggerDeclaration, TriggerType } from "../core/trigger.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** An enabled http trigger, ready to judge requests. */
export interface HttpTrigger {
  readonly auth: HttpAuth;
  /** `null`: any. */
  readonly methods: ReadonlySet<string> | null;
  /** Judges what follows the function's name in the path (empty, or beginning with `/`); `null`: anything. */
  readonly path: URLPattern | null;
}

/**
 * Checks the parts of a trigger's config that the platform reads; unknown keys are kept.
 * @throws {AppError} VALIDATION_INVALID_SCHEMA with `details.path`.
 */
export function checkTriggerConfig(
  type: TriggerType,
  config: Record<string, unknown>,
  path: string,
): Record<string, unknown> {
  if (type !== "http") return config;
  const { auth = "required", method, path: pattern } = config;
  if (auth !== "required" && auth !== "optional" && auth !== "none") {
    throw wrong(`${path}.auth`, `must be required, optional or none: it is ${JSON.stringify(auth)}`);
  }
  for (const word of wordsOf(method)) {
    if (typeof word !== "string" || (!methods.includes(word.toUpperCase()) && !anyMethod(word))) {
      throw wrong(
        `${path}.method`,
        `must be one of ${methods.join(", ")}, or a list of them: it is ${JSON.stringify(method)}`,
      );
    }
  }
  if (pattern !== undefined) {
    if (typeof pattern !== "string" || !pattern.startsWith("/")) {
      throw wrong(`${path}.path`, `must be a path that begins with "/": it is ${JSON.stringify(pattern)}`);
    }
    try {
      new URLPattern({ pathname: pattern });
    } catch (cause) {
      throw wrong(`${path}.path`, `is not a pattern: ${(cause as Error).message}`);
    }
  }
  return { ...config, auth };
}

function wordsOf(method: unknown): unknown[] {
  return method === undefined ? [] : Array.isArray(method) ? method : [method];
}

function anyMethod(word: string): boolean {
  return word === "*" || word.toUpperCase() === "ANY" || word.toUpperCase() === "ALL";
}

/** The function's http trigger, or `null` when it has none that is enabled. */
export function httpTriggerOf(triggers: readonly TriggerDeclaration[]): HttpTrigger | null {
  const declared = triggers.find(({ type, enabled }) => type === "http" && enabled);
  if (declared === undefined) return null;
  const { auth = "required", method, path } = declared.config;
  const words = wordsOf(method) as string[];
  return {
    auth: auth as HttpAuth,
    methods: words.length === 0 || words.some(anyMethod)
      ? null
      : withHead(words.map((word) => word.toUpperCase())),
    path: typeof path === "string" && path !== "/" ? new URLPattern({ pathname: path }) : null,
  };
}

/** HEAD is answered wherever GET is. */
function withHead(words: string[]): Set<string> {
  return new Set(words.includes("GET") ? [...words, "HEAD"] : words);
}

/** @throws {AppError} METHOD_NOT_ALLOWED with `Allow`, or RESOURCE_NOT_FOUND for another path. */
export function checkHttpRequest(trigger: HttpTrigger, name: string, method: string, subPath: string): void {
  if (trigger.path !== null && !trigger.path.test({ pathname: subPath === "" ? "/" : subPath })) {
    throw new AppError(
      "RESOURCE_NOT_FOUND",
      `The function "${name}" does not answer at "${subPath.slice(0, 200) || "/"}"`,
      {
        remediation: "Call it under the path that its http trigger names.",
      },
    );
  }
  if (trigger.methods !== null && !trigger.methods.has(method)) {
    const allow = [...trigger.methods].join(", ");
    throw new AppError(
      "METHOD_NOT_ALLOWED",
      `The function "${name}" does not answer ${method}: it answers ${allow}`,
      {
        headers: { allow },
      },
    );
  }
}

function wrong(path: string, reason: string): AppError {
  return new AppError("VALIDATION_INVALID_SCHEMA", `Cannot deploy: ${path} ${reason}`, { details: { path } });
}
