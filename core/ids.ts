// Ids have types of their own, so that one cannot be passed for another; each is made here and parsed here.

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `app_` and 12 characters of `[0-9a-z]`. */
export type AppId = Branded<"AppId">;
export type FunctionId = Branded<"FunctionId">;
export type VersionId = Branded<"VersionId">;
export type AccountId = Branded<"AccountId">;
export type KeyId = Branded<"KeyId">;
/** Id of one request, sent back as `x-request-id`; for a call of a function also the invocation's id. */
export type RequestId = Branded<"RequestId">;

const appIdAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

export function newAppId(): AppId {
  // 252 is the largest multiple of 36 below 256: a byte above it would favour the first letters.
  let id = "";
  while (id.length < 12) {
    for (const byte of crypto.getRandomValues(new Uint8Array(16))) {
      if (byte < 252 && id.length < 12) id += appIdAlphabet[byte % 36];
    }
  }
  return `app_${id}` as AppId;
}

/** The id if `text` has the form of one, else `undefined`: such an app cannot exist. */
export function parseAppId(text: string): AppId | undefined {
  return /^app_[0-9a-z]{12}$/.test(text) ? text as AppId : undefined;
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(text: string): boolean {
  return uuidForm.test(text);
}

export function newUuid<Id extends string>(): Id {
  return crypto.randomUUID() as string as Id;
}
