import assert from "node:assert/strict";
import { receiveResponseBody, sendRequestBody } from "./body_streams.ts";
import type { Bytes } from "./protocol/frames.ts";
import { bodyChunkBytes, bodyWindowBytes } from "./protocol/messages.ts";

function receiver() {
  const credits: number[] = [];
  let cancelled = 0;
  const receiving = receiveResponseBody({
    onCredit: (count) => void credits.push(count),
    onCancel: () => void cancelled++,
  });
  return { receiving, credits, cancelled: () => cancelled };
}

const bytes = (length: number, fill = 1): Bytes => new Uint8Array(length).fill(fill);

Deno.test("an answer that came whole is delivered whole, although its isolate is stopped while it is read", async () => {
  const { receiving } = receiver();
  for (let n = 1; n <= 4; n++) receiving.chunk(bytes(10, n));
  receiving.end();
  receiving.broke(new Error("The function was stopped: deadline"));
  const read = await new Response(receiving.stream).bytes();
  assert.deepEqual([...read], [1, 2, 3, 4].flatMap((n) => Array(10).fill(n)));
  assert.equal(receiving.receivedBytes, 40);
});

Deno.test("an answer that breaks off delivers what came, and then fails", async () => {
  const { receiving } = receiver();
  receiving.chunk(bytes(10));
  receiving.chunk(bytes(10));
  receiving.broke(new Error("first"));
  receiving.broke(new Error("second"));
  receiving.end();
  receiving.chunk(bytes(10));
  const reader = receiving.stream.getReader();
  assert.equal((await reader.read()).value?.length, 10);
  assert.equal((await reader.read()).value?.length, 10);
  await assert.rejects(reader.read(), /first/);
});

Deno.test("credit is given for what was read, and for nothing before", async () => {
  const { receiving, credits } = receiver();
  for (let n = 0; n < 4; n++) receiving.chunk(bytes(100));
  assert.deepEqual(credits, [100], "one chunk is on its way to the reader");
  const reader = receiving.stream.getReader();
  await reader.read();
  await reader.read();
  assert.ok(credits.length <= 3);
});

Deno.test("an isolate that sends far more than it was asked for is cut off", async () => {
  const { receiving, cancelled } = receiver();
  for (let sent = 0; sent <= 3 * bodyWindowBytes; sent += bodyChunkBytes) {
    receiving.chunk(bytes(bodyChunkBytes));
  }
  assert.equal(cancelled(), 1);
  await assert.rejects(new Response(receiving.stream).bytes(), /more than it was asked for/);
});

Deno.test("a request's body is sent no further than its reader has read", async () => {
  const sent: number[] = [];
  const ended = Promise.withResolvers<void>();
  const whole = 4 * bodyWindowBytes;
  const sender = sendRequestBody({
    stream: new Blob([bytes(whole)]).stream() as ReadableStream<Bytes>,
    onChunk: (chunk) => void sent.push(chunk.length),
    onEnd: ended.resolve,
    onBroken: ended.reject,
  });
  const total = () => sent.reduce((sum, length) => sum + length, 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(total(), bodyWindowBytes);
  assert.ok(sent.every((length) => length <= bodyChunkBytes));
  for (let read = 0; read < whole; read += bodyChunkBytes) sender.credit(bodyChunkBytes);
  await ended.promise;
  assert.equal(total(), whole);
  assert.equal(sender.sentBytes, whole);
});

Deno.test("a request's body that breaks off says why, and one that was stopped says nothing", async () => {
  const broken = Promise.withResolvers<unknown>();
  const source = new ReadableStream<Bytes>({ start: (controller) => controller.error(new Error("cut")) });
  sendRequestBody({ stream: source, onChunk() {}, onEnd() {}, onBroken: broken.resolve });
  assert.match(String(await broken.promise), /cut/);

  let told = false;
  const silent = () => void (told = true);
  const open = new ReadableStream<Bytes>();
  sendRequestBody({ stream: open, onChunk: silent, onEnd: silent, onBroken: silent }).stop();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(told, false);
});
