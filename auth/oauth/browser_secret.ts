// Binds a sign-in to the browser that began it. That browser alone holds the secret, in a cookie; the database has only a
// hash over secret and state, and code verifier and nonce follow from the secret. So neither a stolen state nor a code from
// another's sign-in is of use, and nothing that is stored lets anybody in.

/** What only the provider's redirect and the browser together bring back. */
export interface BrowserSecret {
  /** 32 characters, seen by the provider. */
  readonly state: string;
  /** 43 characters, seen by the browser alone. */
  readonly secret: string;
}

export function newBrowserSecret(): BrowserSecret {
  return { state: randomText(24), secret: randomText(32) };
}

/** The pair, or `null` for what was not made here. */
export function parseBrowserSecret(state: string | null, secret: string | undefined): BrowserSecret | null {
  if (state === null || !isState(state) || secret === undefined || !/^[\w-]{43}$/.test(secret)) return null;
  return { state, secret };
}

/** The cookie of a state: sign-ins in two tabs have one each. */
export function cookieName(state: string | null): string | null {
  return state !== null && isState(state) ? `bb_oauth_${state.slice(0, 12)}` : null;
}

/** What the sign-in is stored under. */
export async function hashOf({ state, secret }: BrowserSecret): Promise<Uint8Array> {
  return await digest(`state ${state} ${secret}`);
}

export async function codeVerifierOf({ secret }: BrowserSecret): Promise<string> {
  return base64url(await digest(`code verifier ${secret}`));
}

export async function nonceOf({ secret }: BrowserSecret): Promise<string> {
  return base64url(await digest(`nonce ${secret}`));
}

function isState(text: string): boolean {
  return /^[\w-]{32}$/.test(text);
}

function randomText(bytes: number): string {
  return base64url(crypto.getRandomValues(new Uint8Array(bytes)));
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
