// The address a request comes from: the peer's, or what the operator's proxy says, when it is said to be trusted.

import type { Context } from "hono";
import type { Env } from "./env.ts";

export type ClientIp = "peer" | "proxy";

export function clientIp(c: Context<Env>, source: ClientIp): string | null {
  if (source === "proxy") {
    const forwarded = c.req.header("x-forwarded-for")?.split(",")[0]?.trim();
    if (forwarded !== undefined && forwarded !== "") return forwarded;
  }
  return c.env?.remoteAddr?.hostname ?? null;
}
