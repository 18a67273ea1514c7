// The address a request comes from: the peer's, or what the operator's proxy says, when it is said to be trusted.

import type { Context } from "hono";
import type { Env } from "./env.ts";

export type ClientIp = "peer" | "proxy";

export function clientIp(c: Context<Env>, source: ClientIp): string | null {
  const forwarded = source === "proxy" ? forwardedIp(c.req.header("x-forwarded-for") ?? null) : null;
  return forwarded ?? peerIp(c.env);
}

/** The last address: the proxy has added it, while those before are whatever its client sent. */
export function forwardedIp(header: string | null): string | null {
  return header?.split(",").at(-1)?.trim() || null;
}

export function peerIp(peer: Env["Bindings"] | undefined): string | null {
  return peer?.remoteAddr?.hostname ?? null;
}
