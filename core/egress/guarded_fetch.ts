// Requests that the platform makes to addresses which somebody gave it: webhooks, identity providers and the like. A name
// is resolved once, every address of it is judged, and the connection goes to one that was judged; each redirect is
// judged again. Time and size are bounded.

import { lookup as resolveName, type LookupAddress } from "node:dns";
import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { AppError } from "../errors.ts";
import { type EgressRules, type EgressVerdict, judgeAddress, judgeName } from "./judge.ts";

export interface GuardedRequest {
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
  /** Longest time for all of it, redirects included. */
  timeoutMs?: number;
  /** Largest body that is read. */
  maxBytes?: number;
  /** How many redirects are followed; the one after them is the answer. */
  maxRedirects?: number;
}

export interface GuardedResponse {
  /** Where the answer came from, after redirects. */
  url: string;
  status: number;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
}

export type GuardedFetch = (url: string, request?: GuardedRequest) => Promise<GuardedResponse>;

export interface GuardedFetchParts {
  /** What the operator permits at the moment of a request. */
  rules: () => EgressRules;
  /** Further certificates to trust, as PEM. */
  certificates?: readonly string[];
  /** Resolves names in place of the system's resolver. */
  resolve?: (name: string) => Promise<LookupAddress[]>;
}

const redirects = [301, 302, 303, 307, 308];
/** What is meant for one origin and must not follow a redirect to another. */
const credentialHeaders = ["authorization", "cookie", "proxy-authorization"];

/**
 * Makes the function that fetches.
 * @throws {AppError} by that function: EGRESS_REFUSED for an address that is not to be reached, EGRESS_FAILED when the
 * other side does not answer as it should.
 */
export function createGuardedFetch(parts: GuardedFetchParts): GuardedFetch {
  return async (given, request = {}) => {
    const { timeoutMs = 10_000, maxRedirects = 5 } = request;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
    let url = urlOf(given);
    let sent = request;
    for (let left = maxRedirects;; left--) {
      const answer = await requestOnce(parts, url, { ...sent, signal }).catch((error) => {
        if (error instanceof AppError) throw error;
        if (request.signal?.aborted) throw request.signal.reason;
        const why = deadline.aborted ? `no whole answer within ${timeoutMs} ms` : failureWords(error);
        throw failed(url, why, error);
      });
      const location = answer.headers.get("location");
      if (left <= 0 || location === null || !redirects.includes(answer.status)) return answer;
      const next = urlOf(location, url);
      sent = redirected(sent, answer.status, { sameOrigin: next.origin === url.origin });
      url = next;
    }
  };
}

/** @throws {AppError} VALIDATION_INVALID_INPUT. */
function urlOf(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  const wrong = (why: string) =>
    new AppError("VALIDATION_INVALID_INPUT", `Cannot fetch "${shown(text)}": ${why}`, {
      details: { reason: "bad_url" },
    });
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrong("it is no http or https URL");
  if (url.username !== "" || url.password !== "") throw wrong("a URL with a user or password is not fetched");
  return url;
}

async function requestOnce(
  parts: GuardedFetchParts,
  url: URL,
  { method = "GET", headers = {}, body, signal, maxBytes = 1024 * 1024 }: GuardedRequest,
): Promise<GuardedResponse> {
  const rules = parts.rules();
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isAddress = ipaddr.isValid(host);
  accept(url, isAddress ? judgeAddress({ host, port }, rules) : judgeName({ host, port }, rules));
  // Asked for no name that is an address: those were judged above.
  const lookup: LookupFunction = (name, options, answer) => {
    judgedAddresses(parts, { name, port, url }).then((addresses) => {
      const [first] = addresses as [LookupAddress, ...LookupAddress[]];
      if (options.all) answer(null, addresses);
      else answer(null, first.address, first.family);
    }, (error) => answer(error, ""));
  };
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const outgoing = (url.protocol === "https:" ? https : http).request({
    host,
    port,
    path: `${url.pathname}${url.search}`,
    method,
    headers: { "accept-encoding": "identity", ...lowerCased(headers), host: url.host },
    // A pooled connection would skip the judgement.
    agent: false,
    lookup,
    ...(signal === undefined ? {} : { signal }),
    ...(parts.certificates === undefined ? {} : { ca: [...parts.certificates] }),
  });
  outgoing.on("response", resolve).on("error", reject);
  outgoing.end(body);
  const incoming = await promise;
  try {
    return {
      url: url.href,
      status: incoming.statusCode ?? 0,
      headers: headersOf(incoming),
      body: await wholeBody(incoming, { url, maxBytes }),
    };
  } finally {
    outgoing.destroy();
  }
}

async function judgedAddresses(
  { rules, resolve = systemResolve }: GuardedFetchParts,
  { name, port, url }: { name: string; port: number; url: URL },
): Promise<LookupAddress[]> {
  const addresses = await resolve(name);
  if (addresses.length === 0) throw new Error("its name has no address");
  for (const { address } of addresses) {
    accept(url, judgeAddress({ host: address, port }, rules()), address);
  }
  return addresses;
}

function systemResolve(name: string): Promise<LookupAddress[]> {
  return new Promise((yes, no) =>
    resolveName(name, { all: true }, (error, addresses) => error === null ? yes(addresses) : no(error))
  );
}

function accept(url: URL, verdict: EgressVerdict, address?: string): void {
  if (verdict.kind === "allowed") return;
  const what = address === undefined ? url.host : `${url.host}, which is at ${address},`;
  throw new AppError("EGRESS_REFUSED", `Cannot fetch "${shown(url)}": ${what} is ${verdict.why}`, {
    details: { reason: "egress_refused", host: url.host, address: address ?? null },
  });
}

function failed(url: URL, why: string, cause?: unknown): AppError {
  return new AppError("EGRESS_FAILED", `Cannot fetch "${shown(url)}": ${why}`, {
    details: { reason: "egress_failed", host: url.host },
    cause,
  });
}

function failureWords(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? `the connection failed (${code})` : "the connection failed";
}

async function wholeBody(
  incoming: http.IncomingMessage,
  { url, maxBytes }: { url: URL; maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > maxBytes) throw failed(url, `its answer is larger than ${maxBytes} bytes`);
    chunks.push(new Uint8Array(chunk));
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** What is sent after a redirect: as a browser does, a POST turns into a GET but for 307 and 308. */
function redirected(
  request: GuardedRequest,
  status: number,
  { sameOrigin }: { sameOrigin: boolean },
): GuardedRequest {
  const headers = Object.entries(lowerCased(request.headers ?? {})).filter(([name]) =>
    sameOrigin || !credentialHeaders.includes(name)
  );
  const { method = "GET", body, ...rest } = request;
  const keeps = status === 307 || status === 308 || method === "GET" || method === "HEAD";
  if (keeps) {
    return { ...rest, method, headers: Object.fromEntries(headers), ...(body === undefined ? {} : { body }) };
  }
  const plain = headers.filter(([name]) => !name.startsWith("content-"));
  return { ...rest, method: "GET", headers: Object.fromEntries(plain) };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function headersOf({ rawHeaders }: http.IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  }
  return headers;
}

/** Without what may be secret: a query, a user. */
function shown(url: URL | string): string {
  return String(url).replace(/\/\/[^/@]*@/, "//").replace(/[?#].*$/s, "").slice(0, 300);
}
