// Runs the handler for each Invoke frame and sends what comes of it. An invocation is RUNNING until its handler has
// answered, SENDING while the body flows, IN BACKGROUND while promises given to waitUntil are pending, then SETTLED.

import { type Bytes, decodeJson, decodeJsonWithTail, FrameKind } from "../protocol/frames.ts";
import type { CancelMessage, EnvUpdate, InvokeHead, LoadHead, ResponseHead } from "../protocol/messages.ts";
import { SlotTable } from "../protocol/slots.ts";
import type { ReportedError } from "../../core/invocation.ts";
import { answerHead, assertResponse, BadResponse, bodyWasRead } from "./answers.ts";
import { backgroundOver } from "./background.ts";
import { createIncomingBody, sendBody } from "./bodies.ts";
import type { Calls } from "./calls.ts";
import { printer, tellDropped } from "./console.ts";
import { createContext } from "./context.ts";
import type { CpuShares } from "./cpu.ts";
import type { Handler } from "./handler.ts";
import type { Port } from "./port.ts";
import { exceeded, limits } from "./quotas.ts";
import { reportError } from "./reported_error.ts";
import { createRequest } from "./requests.ts";
import { completeBody } from "./responses.ts";
import { abortReason, type Running, signalOf } from "./running.ts";

export interface InvocationParts {
  port: Port;
  calls: Calls;
  cpu: CpuShares;
  handler: Handler;
  load: LoadHead;
}

const NativeStream = ReadableStream;
const noBody: Bytes = new Uint8Array(0);
/** So many answers go in one write at most. */
const answersPerWrite = 6;
/** An answer longer than this flows in chunks, although it is complete. */
const wholeAnswerBytes = 1024 * 1024;

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
      const request = createRequest(head, tail, running.incoming, () => signalOf(running));
      const response = await handler(request, this.#context(running, head));
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
    const { background } = running;
    this.#settle(running, background.length === 0 ? 0 : await backgroundOver(background, this.#parts.load));
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
    assertResponse(response);
    const head = answerHead(response);
    const complete = completeBody(response);
    if (complete === undefined) {
      const { body } = response;
      if (body === null) return { head, bytes: noBody, then: "keep" };
      if (body.locked) throw new BadResponse(bodyWasRead);
      await this.#stream(running, head, body);
      return null;
    }
    const read = complete instanceof Promise;
    const bytes = read ? await complete : complete;
    if (bytes === null) return { head, bytes: noBody, then: "keep" };
    if (bytes.length > limits.responseBytes) {
      throw new BadResponse(exceeded("responseBytes", bytes.length).message);
    }
    if (bytes.length <= wholeAnswerBytes) {
      head.body = "whole";
      return { head, bytes, then: read ? "release" : "keep" };
    }
    await this.#stream(running, head, streamOf(bytes));
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
    head: ResponseHead,
    stream: ReadableStream<Uint8Array>,
  ): Promise<void> {
    const { port } = this.#parts;
    head.body = "stream";
    port.out.jsonWithTail(FrameKind.Head, running.id, head, noBody);
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

  #settle(running: Running, unfinished: number): void {
    const { port, cpu } = this.#parts;
    this.#running.delete(running.id);
    if (running.dropped > 0) tellDropped(running);
    port.out.json(FrameKind.Settled, running.id, { cpuMs: cpu.close(running.cpu), unfinished });
    port.soon();
  }
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

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
