// The http trigger of a function: who may call it, with which methods, under which path.

import { AppError } from "../core/errors.ts";
import type { HttpAuth, TriggerDeclaration, TriggerType } from "../core/trigger.ts";

/**
 * Segments are plain, or a whole `:name`, and the last may be `*`. More than that URLPattern turns into regular
 * expressions that take for ever on some paths, and every call of this node would wait for them.
 */
const pathForm = /^(?=\/)(\/(:[A-Za-z_]\w*|[^:*(){}+?#\\/\s]*))*(\/\*)?$/;

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** No `Request` can have these, so no handler can see them. */
const unheardOf = new Set(["CONNECT", "TRACE", "TRACK"]);

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
    if (typeof pattern !== "string" || !pathForm.test(pattern)) {
      throw wrong(
        `${path}.path`,
        `must be a path as "/", "/items/:id" or "/files/*": it is ${JSON.stringify(pattern).slice(0, 200)}`,
      );
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
  const refused = trigger.methods === null ? unheardOf.has(method) : !trigger.methods.has(method);
  if (refused) {
    const allow = [...trigger.methods ?? methods].join(", ");
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
