// URLs that an app's owner gives for a provider. What carries secrets goes by https; plain http is for hosts that are not
// public, which the platform reaches only where the operator allows it.

import { type EgressRules, judgeAddress, judgeName } from "../../core/egress/judge.ts";

/** What is wrong with the URL of an endpoint, to complete "must be"; `null` when nothing is. */
export function endpointMistake(text: string): string | null {
  const mistake = urlMistake(text);
  if (mistake !== null) return mistake;
  const url = new URL(text);
  return url.protocol === "https:" || isInward(url) ? null : "an https URL: secrets go there";
}

/** The same for any URL that a browser is sent to. */
export function urlMistake(text: string): string | null {
  const url = text.length > 2048 ? null : URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return "an http or https URL";
  if (url.username !== "" || url.password !== "") return "a URL without a user or password";
  if (text.includes("#")) return "a URL without a fragment";
  return null;
}

/** Why the platform will not connect there, as far as the URL itself says; `null` when it may. */
export function reachMistake(text: string, rules: EgressRules): string | null {
  const verdict = judge(new URL(text), rules);
  return verdict.kind === "allowed" ? null : verdict.why;
}

const inwardNames = /^[^.]+$|\.(internal|local|localhost|test|home\.arpa)$/;

function isInward(url: URL): boolean {
  return inwardNames.test(url.hostname) || judge(url, { allow: [], deny: [] }).kind === "refused";
}

function judge(url: URL, rules: EgressRules) {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const destination = { host, port: Number(url.port || (url.protocol === "https:" ? 443 : 80)) };
  const isAddress = /^[\d.]+$/.test(host) || host.includes(":");
  return isAddress ? judgeAddress(destination, rules) : judgeName(destination, rules);
}
