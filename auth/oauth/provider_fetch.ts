// How providers are asked: by the guarded fetch, since their URLs come from apps' owners. No redirect is followed, because
// what is sent are secrets; times and sizes are bounded.

import type { GuardedFetch } from "../../core/egress/guarded_fetch.ts";

/** The part of `fetch` that the OAuth client uses. */
export type ProviderFetch = (url: string, request: ProviderRequest) => Promise<Response>;

export interface ProviderRequest {
  method: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Times of what one sign-in asks of its provider. */
export interface ProviderPatience {
  /** One answer. */
  answerMs: number;
  /** All of them together. */
  wholeMs: number;
}

/** A fetch for one sign-in. */
export function providerFetch(guarded: GuardedFetch, { answerMs, wholeMs }: ProviderPatience): ProviderFetch {
  const signal = AbortSignal.timeout(wholeMs);
  return async (url, { method, headers = {}, body }) => {
    const { status, headers: received, body: bytes } = await guarded(url, {
      method,
      headers,
      ...(body === undefined || body === null ? {} : { body: String(body) }),
      signal,
      timeoutMs: answerMs,
      maxBytes: 256 * 1024,
      maxRedirects: 0,
    });
    return new Response(bytes.length === 0 ? null : bytes, { status, headers: received });
  };
}
