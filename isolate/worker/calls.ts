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

interface Answer {
  head: AnswerHead;
  tail: Bytes;
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
  const waiting = new Slots<(answer: Answer) => void>();
  return {
    // Async to the caller, so that the stack of an error shows where user code awaits.
    async call(invocation, request) {
      const length = charactersOf(request);
      if (length > maxCallCharacters) {
        const message = `One call of ctx sends ${maxCallCharacters} characters at most: these are ${length}`;
        throw new QuotaExceededError(message, { limit: maxCallCharacters, used: length, setting: null });
      }
      const { head, tail } = await new Promise<Answer>((resolve) => {
        const id = waiting.add(resolve);
        port.out.json(FrameKind.Call, id, { invocation, ...request });
        port.soon();
      });
      if (!head.ok) throw toError(head.error);
      return { value: head.value, tail };
    },
    answer(id, payload) {
      const resolve = waiting.get(id);
      waiting.delete(id);
      resolve?.(decodeJsonWithTail<AnswerHead>(payload));
    },
  };
}

function toError({ name, message, code, fields }: CallError): Error {
  const error = new Error(message);
  for (const [field, value] of Object.entries({ name, ...(code === null ? {} : { code }), ...fields })) {
    Object.defineProperty(error, field, {
      value,
      enumerable: field !== "name",
      writable: true,
      configurable: true,
    });
  }
  return error;
}
