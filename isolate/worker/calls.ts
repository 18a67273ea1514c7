// Calls from `ctx` to the server. Each names its invocation, and the server decides from that what it may do: nothing
// sent here grants anything.

import { Slots } from "../protocol/slots.ts";
import type { AnswerHead, CallError, CallRequest } from "../protocol/messages.ts";
import { type Bytes, decodeJsonWithTail, FrameKind } from "../protocol/frames.ts";
import type { Port } from "./port.ts";
import { QuotaExceededError } from "./quotas.ts";

export interface CallAnswer {
  value: unknown;
  tail: Bytes;
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;
export type CallOf = DistributiveOmit<CallRequest, "invocation">;

export interface Calls {
  call(invocation: number, request: CallOf): Promise<CallAnswer>;
  answer(id: number, payload: Bytes): void;
}

interface Waiting {
  resolve(answer: CallAnswer): void;
  reject(error: Error): void;
  /** Where user code made the call: the answer arrives on another stack. */
  site: { stack?: string };
}

/** What one call may send: beyond a frame's length the server would give up the whole isolate. */
const maxCallCharacters = 10 * 1024 * 1024;

function charactersOf(request: CallOf): number {
  switch (request.method) {
    case "db.query":
      return request.parameters.reduce((sum, value) => sum + (value?.length ?? 0), request.text.length);
    case "idempotency.claim":
      return request.key.length + request.scope.length;
    case "invoke":
      return request.headers.reduce(
        (sum, [name, value]) => sum + name.length + value.length,
        request.body?.length ?? 0,
      );
    default:
      return 0;
  }
}

export function createCalls(port: Port): Calls {
  const waiting = new Slots<Waiting>();
  return {
    call(invocation, request) {
      const length = charactersOf(request);
      if (length > maxCallCharacters) {
        const message = `One call of ctx sends ${maxCallCharacters} characters at most: these are ${length}`;
        const use = { limit: maxCallCharacters, used: length, setting: null };
        return Promise.reject(new QuotaExceededError(message, use));
      }
      const site: { stack?: string } = {};
      Error.captureStackTrace(site);
      return new Promise((resolve, reject) => {
        const id = waiting.add({ resolve, reject, site });
        port.out.json(FrameKind.Call, id, { invocation, ...request });
        port.soon();
      });
    },
    answer(id, payload) {
      const call = waiting.get(id);
      if (call === undefined) return;
      waiting.delete(id);
      const { head, tail } = decodeJsonWithTail<AnswerHead>(payload);
      if (head.ok) call.resolve({ value: head.value, tail });
      else call.reject(toError(head.error, call.site));
    },
  };
}

function toError({ name, message, code, fields }: CallError, site: { stack?: string }): Error {
  const error = new Error(message);
  for (const [field, value] of Object.entries({ name, ...(code === null ? {} : { code }), ...fields })) {
    Object.defineProperty(error, field, {
      value,
      enumerable: field !== "name",
      writable: true,
      configurable: true,
    });
  }
  const frames = site.stack?.split("\n").slice(1).join("\n");
  if (frames !== undefined) error.stack = `${name}: ${message}\n${frames}`;
  return error;
}
