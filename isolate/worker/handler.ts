// Finds the handler in a loaded bundle, in any of the accepted forms.

import type { ServeHandler } from "./sandbox.ts";

export type Handler = (request: Request, context: unknown) => unknown;

/**
 * `export default function`, `export default { fetch }`, `export function handler`, or `Deno.serve(handler)`.
 * @throws {TypeError} when the module has none of them.
 */
export function findHandler(module: Record<string, unknown>, served: ServeHandler | undefined): Handler {
  const { default: main, handler } = module;
  if (typeof main === "function") return main as Handler;
  if (typeof main === "object" && main !== null && "fetch" in main && typeof main.fetch === "function") {
    return main.fetch.bind(main) as Handler;
  }
  if (typeof handler === "function") return handler as Handler;
  if (served !== undefined) return served;
  throw new TypeError(
    "The module has no handler: write `export default async function handler(req, ctx) { return new Response('…'); }`",
  );
}
