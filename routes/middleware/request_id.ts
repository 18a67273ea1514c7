// Every request has an id, made here and sent back as `x-request-id`; for a call of a function it is the invocation's.
// What a client sends under that name is not believed: ids would collide.

import type { Context, MiddlewareHandler } from "hono";
import type { RequestId } from "../../core/ids.ts";
import type { Env } from "../env.ts";

/** The request's id, made when it is first asked for. */
export function requestIdOf(c: Context<Env>): RequestId {
  const known: RequestId | undefined = c.var.requestId;
  if (known !== undefined) return known;
  const id = crypto.randomUUID() as RequestId;
  c.set("requestId", id);
  return id;
}

/** Puts the id into whatever response comes. */
export const requestId: MiddlewareHandler<Env> = async (c, next) => {
  const id = requestIdOf(c);
  await next();
  c.res.headers.set("x-request-id", id);
};
