// Reads bodies within their limits.

import type { Context } from "hono";
import { AppError } from "../core/errors.ts";
import type { Env } from "./env.ts";

/** Longest body of a management request; a deploy may be longer. */
export const managementBodyBytes = 1024 * 1024;

/** @throws {AppError} PAYLOAD_TOO_LARGE before the rest of the body is read. */
export function readBytes(c: Context<Env>, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  return readRequest(c.req.raw, limit);
}

/** The same where there is no context. */
export async function readRequest(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > limit) throw tooLarge(declared, limit);
  const { body } = request;
  if (body === null) return new Uint8Array(0);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of body as ReadableStream<Uint8Array<ArrayBuffer>>) {
    length += chunk.length;
    if (length > limit) throw tooLarge(length, limit);
    chunks.push(chunk);
  }
  return chunks.length === 1
    ? chunks[0] as Uint8Array<ArrayBuffer>
    : new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/**
 * Reads a JSON body.
 * @throws {AppError} REQUEST_ERROR for a missing or malformed body, PAYLOAD_TOO_LARGE.
 */
export async function readJson(c: Context<Env>, limit = managementBodyBytes): Promise<unknown> {
  return parseJson(await readBytes(c, limit), { numbers: "double" });
}

/**
 * Parses a JSON body. With `exact` numbers, one that a double cannot hold stays as it is written: JSON.stringify() gives
 * it back.
 * @throws {AppError} REQUEST_ERROR.
 */
export function parseJson(bytes: Uint8Array, { numbers }: { numbers: "double" | "exact" }): unknown {
  if (bytes.length === 0) throw new AppError("REQUEST_ERROR", "The request has no body: send a JSON object");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return JSON.parse(text, numbers === "exact" ? keepExact : refuseUnusable);
  } catch (error) {
    throw new AppError("REQUEST_ERROR", `The body is not valid JSON: ${(error as Error).message}`, {
      remediation: "Send a JSON object in UTF-8.",
    });
  }
}

/** Refuses what no column could hold, so that it is the caller's mistake wherever it stands. */
function refuseUnusable(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new SyntaxError('the key "__proto__" is not allowed');
  for (const text of [key, value]) {
    if (typeof text !== "string") continue;
    if (text.includes("\0")) throw new SyntaxError("a text in it holds a NUL character");
    if (!text.isWellFormed()) throw new SyntaxError("a text in it holds half of a surrogate pair");
  }
  return value;
}

/** What the lib's types do not have yet. */
const { rawJSON } = JSON as unknown as { rawJSON(source: string): unknown };

function keepExact(this: unknown, key: string, value: unknown, context?: { source?: string }): unknown {
  refuseUnusable(key, value);
  const source = context?.source;
  if (typeof value !== "number" || source === undefined) return value;
  const digits = source.replace(/e.*$/i, "").replace(/\D/g, "");
  // A double holds any fifteen digits.
  return digits.length <= 15 && Number.isFinite(value) ? value : rawJSON(source);
}

export function tooLarge(length: number, limit: number): AppError {
  return new AppError(
    "PAYLOAD_TOO_LARGE",
    `The body is ${length} bytes or more: at most ${limit} are taken`,
    {
      details: { limit_bytes: limit },
    },
  );
}
