// What a throw becomes on its way out. Anything can be thrown, and reading it can throw again.

import type { ReportedError } from "../../core/invocation.ts";

const longest = 10_000;

export function reportError(thrown: unknown): ReportedError {
  try {
    if (thrown instanceof Error) {
      const stack = typeof thrown.stack === "string" ? thrown.stack : null;
      return {
        name: String(thrown.name),
        message: String(thrown.message).slice(0, longest),
        stack: withCause(stack, thrown.cause)?.slice(0, longest) ?? null,
      };
    }
    const message = typeof thrown === "string" ? thrown : Deno.inspect(thrown);
    return { name: "Error", message: message.slice(0, longest), stack: null };
  } catch {
    return { name: "Error", message: "Something was thrown that cannot be described", stack: null };
  }
}

function withCause(stack: string | null, cause: unknown): string | null {
  if (stack === null || !(cause instanceof Error) || typeof cause.stack !== "string") return stack;
  return `${stack}\nCaused by: ${cause.stack}`;
}
