// SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it: proves that both sides know the password without sending
// it, and makes the verifier that `ALTER ROLE … PASSWORD` takes, so that no password ever stands in SQL or in a log.

const encoder = new TextEncoder();
const iterationsOfOurs = 4096;

/** One login, from the client's side. */
export interface ScramLogin {
  readonly first: string;
  /** Answer to the server's first message. */
  final(serverFirst: string): Promise<string>;
  /** @throws when the server does not know the password either. */
  verify(serverFinal: string): void;
}

export function scramLogin(password: string): ScramLogin {
  const nonce = crypto.getRandomValues(new Uint8Array(18)).toBase64();
  const firstBare = `n=,r=${nonce}`;
  let serverSignature: string | undefined;
  return {
    first: `n,,${firstBare}`,
    async final(serverFirst) {
      const fields = attributes(serverFirst);
      const { r, s, i } = fields;
      if (!r?.startsWith(nonce) || s === undefined || !/^\d{1,7}$/.test(i ?? "")) {
        throw new Error("The PostgreSQL server's SCRAM challenge is malformed");
      }
      const keys = await deriveKeys(password, Uint8Array.fromBase64(s), Number(i));
      const withoutProof = `c=biws,r=${r}`;
      const exchange = `${firstBare},${serverFirst},${withoutProof}`;
      const signature = await hmac(keys.storedKey, exchange);
      const proof = keys.clientKey.map((byte, at) => byte ^ (signature[at] as number));
      serverSignature = (await hmac(keys.serverKey, exchange)).toBase64();
      return `${withoutProof},p=${proof.toBase64()}`;
    },
    verify(serverFinal) {
      if (attributes(serverFinal).v !== serverSignature) {
        throw new Error("The PostgreSQL server could not prove that it knows the password");
      }
    },
  };
}

/** `SCRAM-SHA-256$…` for `ALTER ROLE … PASSWORD '…'`. */
export async function scramVerifier(password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const { storedKey, serverKey } = await deriveKeys(password, salt, iterationsOfOurs);
  return `SCRAM-SHA-256$${iterationsOfOurs}:${salt.toBase64()}$${storedKey.toBase64()}:${serverKey.toBase64()}`;
}

function attributes(message: string): Record<string, string | undefined> {
  return Object.fromEntries(message.split(",").map((field) => [field.slice(0, 1), field.slice(2)]));
}

async function deriveKeys(password: string, salt: Uint8Array<ArrayBuffer>, iterations: number) {
  const key = await crypto.subtle.importKey("raw", encoder.encode(password), "PBKDF2", false, ["deriveBits"]);
  const salted = new Uint8Array(
    await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, 256),
  );
  const clientKey = await hmac(salted, "Client Key");
  const storedKey = new Uint8Array(await crypto.subtle.digest("SHA-256", clientKey));
  return { clientKey, storedKey, serverKey: await hmac(salted, "Server Key") };
}

async function hmac(secret: Uint8Array<ArrayBuffer>, message: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(message)));
}
