// Runs the handler for each Invoke frame and sends what comes of it. An invocation is RUNNING until its handler has
// answered, SENDING while the body flows, IN BACKGROUND while promises given to waitUntil are pending, then SETTLED.

import { type Bytes, decodeJson, decodeJsonWithTail, FrameKind } from "../protocol/frames.ts";
import type {
  BodyKind,
  CancelMessage,
  EnvUpdate,
  InvokeHead,
  LoadHead,
  ResponseHead,
} from "../protocol/messages.ts";
import { SlotTable } from "../protocol/slots.ts";
import { releaseBody, type ReportedError } from "../../core/invocation.ts";
import { createIncomingBody, type IncomingBody, type OutgoingBody, sendBody } from "./bodies.ts";
import type { Calls } from "./calls.ts";
import { type Printer, printer, tellDropped } from "./console.ts";
import { createContext } from "./context.ts";
import type { CpuAccount, CpuShares } from "./cpu.ts";
import type { Handler } from "./handler.ts";
import type { Port } from "./port.ts";
import { exceeded, limits } from "./quotas.ts";
import { reportError } from "./reported_error.ts";
import { watchSignal } from "./request_signal.ts";
import { completeBody } from "./responses.ts";

export interface InvocationParts {
  port: Port;
  calls: Calls;
  cpu: CpuShares;
  handler: Handler;
  load: LoadHead;
}

interface Running extends Printer {
  readonly id: number;
  readonly cpu: CpuAccount;
  readonly background: Promise<unknown>[];
  /** Of those, the ones that are not settled. */
  pending: number;
  abort: AbortController | null;
  cancelled: CancelMessage | null;
  incoming: IncomingBody | null;
  outgoing: OutgoingBody | null;
}

class BadResponse extends TypeError {
  override readonly name = "TypeError";
  readonly #ours = true;

  /** Unlike `instanceof`, this asks nothing of what was thrown, which may be a Proxy that throws. */
  static is(thrown: unknown): boolean {
    return typeof thrown === "object" && thrown !== null && #ours in thrown;
  }
}

const NativeRequest = Request;
const NativeResponse = Response;
const NativeStream = ReadableStream;
const setTimer = setTimeout;
const clearTimer = clearTimeout;
/** No client takes more; what is larger would be memory of the server's. */
const maxHeaderBytes = 256 * 1024;
const noBody: Bytes = new Uint8Array(0);
/** So many answers go in one write at most. */
const answersPerWrite = 6;
/** An answer longer than this flows in chunks, although it is complete. */
const wholeAnswerBytes = 1024 * 1024;
const bodyWasRead = "The handler returned a Response whose body was already read";

interface WholeAnswer {
  head: ResponseHead;
  bytes: Bytes;
  /** `release`: the answer was read to its end, and its bytes are nobody else's. */
  then: "keep" | "release";
}

export class Invocations {
  readonly #parts: InvocationParts;
  readonly #running = new SlotTable<Running>();
  #settings: EnvUpdate;
  #finished = 0;

  constructor(parts: InvocationParts) {
    this.#parts = parts;
    this.#settings = deepFreeze({ env: parts.load.env, app: parts.load.app });
  }

  /** What `ctx.env` and `ctx.app` are from the next invocation on; frozen, since invocations share them. */
  set settings({ env, app }: EnvUpdate) {
    this.#settings = deepFreeze({ env, app });
  }

  start(id: number, payload: Bytes): void {
    const { port, cpu } = this.#parts;
    const { head, tail } = decodeJsonWithTail<InvokeHead>(payload);
    // A streamed body cannot be sent twice: such an invocation is never taken back.
    if (port.progress.begin() === "sealed" && head.body !== "stream") return;
    const running: Running = {
      id,
      cpu: cpu.open(),
      background: [],
      pending: 0,
      abort: null,
      cancelled: null,
      incoming: head.body === "stream" ? createIncomingBody(port, id) : null,
      outgoing: null,
      printed: 0,
      printedBytes: 0,
      dropped: 0,
      print: (entry) => {
        port.out.json(FrameKind.Console, id, entry);
        port.now();
      },
    };
    this.#running.put(id, running);
    port.progress.hold(id);
    printer.run(running, () => void this.#run(running, head, tail));
    port.progress.hold(0);
  }

  chunk(id: number, payload: Bytes): void {
    this.#running.get(id)?.incoming?.chunk(payload);
  }

  requestEnded(id: number): void {
    this.#running.get(id)?.incoming?.end();
  }

  requestBroke(id: number): void {
    this.#running.get(id)?.incoming?.broke(
      "The request's body broke off: it is too large, or the client went away",
    );
  }

  credit(id: number, payload: Bytes): void {
    const count = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
    this.#running.get(id)?.outgoing?.credit(count);
  }

  cancel(id: number, payload: Bytes): void {
    const running = this.#running.get(id);
    if (running === undefined || running.cancelled !== null) return;
    running.cancelled = decodeJson<CancelMessage>(payload);
    const why = abortReason(running.cancelled);
    printer.run(running, () => {
      running.abort?.abort(why);
      running.incoming?.broke(why.message);
      running.outgoing?.cancel(why);
    });
  }

  async #run(running: Running, head: InvokeHead, tail: Bytes): Promise<void> {
    // Called bare: as a method it would have the parts, and so the channel, as its `this`.
    const { port, handler } = this.#parts;
    try {
      const response = await handler(this.#request(running, head, tail), this.#context(running, head));
      const whole = await this.#answer(running, response);
      if (whole !== null && running.background.length === 0) return this.#finish(running, whole);
      if (whole !== null) this.#send(FrameKind.Head, running, whole);
    } catch (thrown) {
      const kind = BadResponse.is(thrown) ? "bad_response" : "threw";
      port.out.json(FrameKind.Threw, running.id, { kind, error: reportError(thrown) });
      port.soon();
      // A handler that threw has no background: the contract drops it.
      return this.#settle(running, 0);
    }
    await this.#background(running);
  }

  #request(running: Running, head: InvokeHead, tail: Bytes): Request {
    const body = requestBody(head.body, tail, running.incoming);
    const request = new NativeRequest(head.url, {
      method: head.method,
      headers: head.headers,
      ...(body === null ? {} : { body, ...(head.body === "stream" ? { duplex: "half" } : {}) }),
    });
    // The request has a copy of its own.
    releaseBody(tail);
    watchSignal(request, () => signalOf(running));
    return request;
  }

  #context(running: Running, head: InvokeHead) {
    return createContext({
      head,
      ...this.#settings,
      call: (request) => this.#parts.calls.call(running.id, request),
      waitUntil: (promise) => {
        if (running.pending >= limits.waitUntil) throw exceeded("waitUntil", running.pending);
        running.pending++;
        // Its failure is nobody's: the answer is out. Unheard, it would end the worker.
        const over = () => void running.pending--;
        running.background.push(Promise.resolve(promise).then(over, over));
      },
    });
  }

  /** Sends an answer that flows, and gives back one that is whole. */
  async #answer(running: Running, response: unknown): Promise<WholeAnswer | null> {
    if (!(response instanceof NativeResponse)) {
      throw new BadResponse(`The handler returned ${describe(response)}: it must return a Response`);
    }
    if (response.bodyUsed) throw new BadResponse(bodyWasRead);
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
    const complete = completeBody(response);
    if (complete === undefined) {
      const { body } = response;
      if (body === null) return { head: { status, headers, body: "none" }, bytes: noBody, then: "keep" };
      if (body.locked) throw new BadResponse(bodyWasRead);
      await this.#stream(running, { status, headers }, body);
      return null;
    }
    const read = complete instanceof Promise;
    const bytes = read ? await complete : complete;
    if (bytes === null) return { head: { status, headers, body: "none" }, bytes: noBody, then: "keep" };
    if (bytes.length > limits.responseBytes) {
      throw new BadResponse(exceeded("responseBytes", bytes.length).message);
    }
    if (bytes.length <= wholeAnswerBytes) {
      return { head: { status, headers, body: "whole" }, bytes, then: read ? "release" : "keep" };
    }
    await this.#stream(running, { status, headers }, streamOf(bytes));
    return null;
  }

  #send(
    kind: typeof FrameKind.Head | typeof FrameKind.Finished,
    { id }: Running,
    { head, bytes, then }: WholeAnswer,
  ): void {
    const { port } = this.#parts;
    port.out.jsonWithTail(kind, id, head, bytes, { then });
    port.soon();
  }

  /** The commonest end, in one frame: the answer is whole, and nothing goes on behind it. */
  #finish(running: Running, { head, ...answer }: WholeAnswer): void {
    this.#running.delete(running.id);
    if (running.dropped > 0) tellDropped(running);
    const cpuMs = this.#parts.cpu.close(running.cpu);
    this.#send(FrameKind.Finished, running, { head: { ...head, cpuMs }, ...answer });
    // The last one under way waits for nobody, and the server need not wait for all of many.
    if (this.#running.size === 0 || ++this.#finished % answersPerWrite === 0) this.#parts.port.now();
  }

  async #stream(
    running: Running,
    head: { status: number; headers: [string, string][] },
    stream: ReadableStream<Uint8Array>,
  ): Promise<void> {
    const { port } = this.#parts;
    port.out.jsonWithTail(FrameKind.Head, running.id, { ...head, body: "stream" }, noBody);
    port.soon();
    running.outgoing = sendBody(port, running.id, stream);
    if (running.cancelled !== null) running.outgoing.cancel(abortReason(running.cancelled));
    try {
      await running.outgoing.sent;
    } catch (thrown) {
      const error: ReportedError = reportError(thrown);
      port.out.json(FrameKind.ResponseBroken, running.id, error);
      port.soon();
    }
  }

  async #background(running: Running): Promise<void> {
    if (running.background.length === 0) return this.#settle(running, 0);
    let pending = 0;
    let timer = 0;
    const timeUp = new Promise<"time_up">((resolve) => {
      timer = setTimer(() => resolve("time_up"), this.#parts.load.waitUntilMs) as unknown as number;
    });
    // Promises may be added while others are awaited.
    for (let done = 0; done < running.background.length && pending === 0;) {
      const batch = running.background.slice(done);
      done = running.background.length;
      if (await Promise.race([Promise.all(batch), timeUp]) === "time_up") pending = await countPending(batch);
    }
    clearTimer(timer);
    this.#settle(running, pending);
  }

  #settle(running: Running, unfinished: number): void {
    const { port, cpu } = this.#parts;
    this.#running.delete(running.id);
    if (running.dropped > 0) tellDropped(running);
    port.out.json(FrameKind.Settled, running.id, { cpuMs: cpu.close(running.cpu), unfinished });
    port.soon();
  }
}

/** Made when it is asked for: most handlers never do. */
function signalOf(running: Running): AbortSignal {
  if (running.abort === null) {
    running.abort = new AbortController();
    if (running.cancelled !== null) running.abort.abort(abortReason(running.cancelled));
  }
  return running.abort.signal;
}

function requestBody(kind: BodyKind, tail: Bytes, incoming: IncomingBody | null): BodyInit | null {
  if (kind === "none") return null;
  if (incoming !== null) return incoming.stream;
  return tail;
}

/** The bytes themselves, and no copy of them. */
function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new NativeStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

function abortReason({ reason }: CancelMessage): DOMException {
  return reason === "deadline"
    ? new DOMException("The function's time is over", "TimeoutError")
    : new DOMException("The client went away", "AbortError");
}

async function countPending(promises: readonly Promise<unknown>[]): Promise<number> {
  const pending = Symbol();
  const states = await Promise.all(
    promises.map((promise) => Promise.race([promise, Promise.resolve(pending)])),
  );
  return states.filter((state) => state === pending).length;
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return typeof value === "object"
    ? `an object (${value.constructor?.name ?? "without a class"})`
    : `a ${typeof value}`;
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
