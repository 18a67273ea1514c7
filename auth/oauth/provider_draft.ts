// What an app's owner sends about a provider, read once into values that can only be good. An empty list of redirect URIs
// or scopes in a change says nothing: the command line sends one whenever its flag is not used.

import { z } from "zod";
import type { EgressRules } from "../../core/egress/judge.ts";
import { AppError } from "../../core/errors.ts";
import { isAppleKey } from "./apple_secret.ts";
import { knownProviders } from "./provider_kinds.ts";
import { endpointMistake, reachMistake, urlMistake } from "./provider_urls.ts";

/** Names of the platform's own ways in, which an identity of a provider must not be taken for. */
const ownWays = ["email", "magic_link"];

const text = z.string("must be a string");
const words = text.min(1, "must not be empty").max(2048, "must be at most 2048 characters");

const name = text.superRefine((given, { addIssue }) => {
  const wrong = (message: string) => addIssue({ code: "custom", message });
  const lowerCase = given.toLowerCase();
  if (!isProviderName(given)) wrong("must be 1 to 64 letters, digits, hyphens and underscores");
  else if (ownWays.includes(lowerCase)) wrong("must not be a way to sign in without a provider");
  else if (given !== lowerCase && knownProviders.includes(lowerCase)) wrong(`must be written "${lowerCase}"`);
});

function urlBy(mistakeOf: (text: string) => string | null) {
  return text.superRefine((given, { addIssue }) => {
    const mistake = mistakeOf(given);
    if (mistake !== null) addIssue({ code: "custom", message: `must be ${mistake}` });
  });
}

const endpoint = urlBy(endpointMistake);
const redirectUris = z.array(urlBy(urlMistake), "must be a list of URLs").max(20, "must be at most 20");
const scopes = z.array(
  text.regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/, "must be one scope, without spaces and quotes"),
  "must be a list of scopes",
).max(100, "must be at most 100");

const metadata = z.looseObject({
  teamId: words.nullish(),
  keyId: words.nullish(),
  privateKey: text.max(16_384, "must be at most 16384 characters")
    .refine(isAppleKey, "must be the PEM of a private key for ES256, as Apple's .p8 file holds it").nullish(),
  issuer: endpoint.nullish(),
  jwks_uri: endpoint.nullish(),
  pkce: z.boolean("must be true or false").nullish(),
  token_endpoint_auth_method: z.enum(
    ["client_secret_post", "client_secret_basic"],
    "must be client_secret_post or client_secret_basic",
  ).nullish(),
}, "must be an object").refine(
  (given) => JSON.stringify(given).length <= 32_768,
  "must be at most 32768 characters of JSON",
);

const fields = {
  client_id: words,
  client_secret: text.max(4096, "must be at most 4096 characters"),
  scopes: scopes.nullish(),
  authorization_url: endpoint.nullish(),
  token_url: endpoint.nullish(),
  userinfo_url: endpoint.nullish(),
  provider_metadata: metadata.nullish(),
};
const draftForm = z.object(
  { provider: name, ...fields, redirect_uris: redirectUris.min(1, "must hold at least one URL") },
  "must be an object",
);
const changeForm = z.object({
  ...fields,
  redirect_uris: redirectUris,
  enabled: z.boolean("must be true or false"),
})
  .partial();

export type ProviderDraft = z.output<typeof draftForm>;
export type ProviderChange = Given<z.output<typeof changeForm>>;
export type ProviderMetadata = z.output<typeof metadata>;

/** What is left out is left out: JSON has no `undefined`. */
type Given<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

/** Whether a provider may have this name. */
export function isProviderName(given: string): boolean {
  return /^[\w-]{1,64}$/.test(given);
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA, with an issue for each field in details, or EGRESS_REFUSED. */
export async function parseProviderDraft(body: unknown, rules: EgressRules): Promise<ProviderDraft> {
  const draft = await read(draftForm, body);
  checkReach(draft, rules);
  return draft;
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA, also when nothing is to be changed, or EGRESS_REFUSED. */
export async function parseProviderChange(body: unknown, rules: EgressRules): Promise<ProviderChange> {
  const change = await read(changeForm, body) as ProviderChange;
  if (Object.keys(change).length === 0) {
    const message = `nothing is to be changed: send one of ${Object.keys(changeForm.shape).join(", ")}`;
    throw invalid([{ code: "custom", path: [], message }]);
  }
  checkReach(change, rules);
  if (change.redirect_uris?.length === 0) delete change.redirect_uris;
  if (change.scopes?.length === 0) delete change.scopes;
  return change;
}

async function read<Form extends z.ZodType>(form: Form, body: unknown): Promise<z.output<Form>> {
  const parsed = await form.safeParseAsync(body);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.map(({ code, path, message }) => ({ code, path, message })));
}

function invalid(issues: { code: string; path: PropertyKey[]; message: string }[]): AppError {
  const said = issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")} ${message}`
  );
  return new AppError("VALIDATION_INVALID_SCHEMA", `Cannot configure the provider: ${said.join("; ")}`, {
    details: issues,
  });
}

/** The browser goes to the authorization URL; these the platform itself connects to. */
function checkReach(
  { token_url, userinfo_url, provider_metadata }: Pick<
    ProviderDraft,
    "token_url" | "userinfo_url" | "provider_metadata"
  >,
  rules: EgressRules,
): void {
  const urls = { token_url, userinfo_url, "provider_metadata.jwks_uri": provider_metadata?.jwks_uri };
  for (const [field, url] of Object.entries(urls)) {
    const why = typeof url === "string" ? reachMistake(url, rules) : null;
    if (why === null) continue;
    throw new AppError("EGRESS_REFUSED", `Cannot configure the provider: the host of ${field} is ${why}`, {
      details: { reason: "egress_refused", path: field },
    });
  }
}
