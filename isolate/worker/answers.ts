// What a handler may answer with: a Response whose body nobody has read, and which a server can send.

import type { ResponseHead } from "../protocol/messages.ts";

const NativeResponse = Response;
/** No client takes more; what is larger would be memory of the server's. */
const maxHeaderBytes = 256 * 1024;
export const bodyWasRead = "The handler returned a Response whose body was already read";

/** The handler returned something that is no answer. */
export class BadResponse extends TypeError {
  override readonly name = "TypeError";
  readonly #ours = true;

  /** Unlike `instanceof`, this asks nothing of what was thrown, which may be a Proxy that throws. */
  static is(thrown: unknown): boolean {
    return typeof thrown === "object" && thrown !== null && #ours in thrown;
  }
}

/** @throws {BadResponse} when it is no Response, or one that was read. */
export function assertResponse(response: unknown): asserts response is Response {
  if (!(response instanceof NativeResponse)) {
    throw new BadResponse(`The handler returned ${describe(response)}: it must return a Response`);
  }
  if (response.bodyUsed) throw new BadResponse(bodyWasRead);
}

/** The head of an answer without a body. @throws {BadResponse} when no server could send it. */
export function answerHead(response: Response): ResponseHead {
  const { status } = response;
  if (status < 200 || status > 599) {
    throw new BadResponse(
      `The handler returned a Response with status ${status}: it must be from 200 to 599`,
    );
  }
  const headers = [...response.headers];
  const length = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (length > maxHeaderBytes) {
    throw new BadResponse(
      `The handler returned a Response with ${length} bytes of headers: at most ${maxHeaderBytes} are sent`,
    );
  }
  return { status, headers, body: "none" };
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return typeof value === "object"
    ? `an object (${value.constructor?.name ?? "without a class"})`
    : `a ${typeof value}`;
}
