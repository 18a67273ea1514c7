// Every request has an id, made here and sent back as `x-request-id`; for a call of a function it is the invocation's.
// What a client sends under that name is not believed: ids would collide.

import type { MiddlewareHandler } from "hono";
import type { RequestId } from "../../core/ids.ts";
import type { Env } from "../env.ts";

/** Only makes the id: whoever builds the response puts it in. */
export const assignRequestId: MiddlewareHandler<Env> = (c, next) => {
  c.set("requestId", crypto.randomUUID() as RequestId);
  return next();
};

/** Makes the id and puts it into whatever response comes. */
export const requestId: MiddlewareHandler<Env> = async (c, next) => {
  const id = crypto.randomUUID() as RequestId;
  c.set("requestId", id);
  await next();
  c.res.headers.set("x-request-id", id);
};
