// Apple's client secret is a JWT that the client signs with a key from Apple. It is made for each exchange.

import { importPKCS8, SignJWT } from "jose";

export interface AppleKey {
  teamId: string;
  keyId: string;
  /** PKCS #8 as PEM, as the downloaded `.p8` file has it. */
  privateKey: string;
}

export async function appleClientSecret(
  { teamId, keyId, privateKey }: AppleKey,
  { clientId, audience }: { clientId: string; audience: string },
): Promise<string> {
  return await new SignJWT()
    .setProtectedHeader({ alg: "ES256", kid: keyId })
    .setIssuer(teamId)
    .setSubject(clientId)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(await importPKCS8(privateKey, "ES256"));
}

/** Whether the text is a private key that Apple's secret can be signed with. */
export async function isAppleKey(privateKey: string): Promise<boolean> {
  try {
    await importPKCS8(privateKey, "ES256");
    return true;
  } catch {
    return false;
  }
}
