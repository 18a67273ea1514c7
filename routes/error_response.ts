// Turns failures into responses: the one envelope, and the only place that knows statuses. What has no name is an
// INTERNAL_ERROR, whose cause the log keeps under the request's id and the caller never sees.

import { HTTPException } from "hono/http-exception";
import { AppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";

export function errorResponse(error: AppError, requestId: string): Response {
  const { code, message, remediation, details, status, headers } = error;
  const documentation = `https://docs.butterbase.ai/errors#${code.toLowerCase().replaceAll("_", "-")}`;
  return Response.json({
    error: {
      code,
      message,
      remediation,
      documentation_url: documentation,
      ...(details === undefined ? {} : { details }),
      request_id: requestId,
    },
  }, { status, headers: { ...headers, "x-request-id": requestId } });
}

/** The response for whatever was thrown while a request was answered. */
export type AnswerError = (error: unknown, request: Request, requestId: string) => Response;

export function answerErrors(log: Logger): AnswerError {
  return (error, request, requestId) => {
    const named = nameError(error);
    if (named.status >= 500 && named.code === "INTERNAL_ERROR") {
      const path = new URL(request.url).pathname;
      log.error("A request failed", { requestId, method: request.method, path, error });
    }
    return errorResponse(named, requestId);
  };
}

function nameError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!(error instanceof Error)) return unnamed(error);
  if (error instanceof HTTPException) {
    return new AppError("REQUEST_ERROR", error.message, { status: error.status });
  }
  // The client went away, or its body broke off: nobody reads the answer.
  if (error.name === "AbortError" || error instanceof Deno.errors.UnexpectedEof || isBrokenBody(error)) {
    return new AppError("REQUEST_ERROR", "The request's body broke off", { cause: error });
  }
  return unnamed(error);
}

function unnamed(cause: unknown): AppError {
  return new AppError("INTERNAL_ERROR", "The request could not be answered", { cause });
}

function isBrokenBody(error: Error): boolean {
  return /request body|error reading a body|connection closed before message completed/i.test(error.message);
}
