// Reads bodies within their limits.

import type { Context } from "hono";
import { AppError } from "../core/errors.ts";
import type { Env } from "./env.ts";

/** Longest body of a management request; a deploy may be longer. */
export const managementBodyBytes = 1024 * 1024;

/** @throws {AppError} PAYLOAD_TOO_LARGE before the rest of the body is read. */
export async function readBytes(c: Context<Env>, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(c.req.header("content-length") ?? 0);
  if (declared > limit) throw tooLarge(declared, limit);
  const { body } = c.req.raw;
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
  const bytes = await readBytes(c, limit);
  if (bytes.length === 0) throw new AppError("REQUEST_ERROR", "The request has no body: send a JSON object");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes), refuseUnusable);
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

export function tooLarge(length: number, limit: number): AppError {
  return new AppError(
    "PAYLOAD_TOO_LARGE",
    `The body is ${length} bytes or more: at most ${limit} are taken`,
    {
      details: { limit_bytes: limit },
    },
  );
}
