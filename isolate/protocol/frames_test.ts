import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Bytes,
  decodeJsonWithTail,
  FrameError,
  FrameKind,
  FrameReader,
  FrameWriter,
  maxFrameBytes,
} from "./frames.ts";

interface Seen {
  kind: number;
  id: number;
  payload: number[];
}

function takeAll(writer: FrameWriter): Bytes {
  const parts: number[] = [];
  while (writer.length > 0) for (const byte of writer.take()) parts.push(byte);
  return new Uint8Array(parts);
}

function readAll(bytes: Bytes, cuts: number[]): Seen[] {
  const seen: Seen[] = [];
  const reader = new FrameReader();
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    reader.push(
      bytes.slice(from, to),
      ({ kind, id, payload }) => seen.push({ kind, id, payload: [...payload] }),
    );
    from = to;
  }
  return seen;
}

Deno.test("frames come out as they went in, however the stream is cut", () => {
  const frame = fc.record({ id: fc.nat(0xffff_ffff), payload: fc.uint8Array({ maxLength: 300 }) });
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(10_000)),
      (frames, cuts) => {
        const writer = new FrameWriter(16);
        for (const { id, payload } of frames) writer.bytes(FrameKind.RequestChunk, id, payload);
        const expected = frames.map(({ id, payload }) => ({
          kind: FrameKind.RequestChunk,
          id,
          payload: [...payload],
        }));
        assert.deepEqual(readAll(takeAll(writer), cuts), expected);
        assert.equal(writer.length, 0);
      },
    ),
  );
});

Deno.test("a head in JSON and its tail come back, whatever characters the head holds", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.uint8Array(), (text, tail) => {
      const writer = new FrameWriter(8);
      writer.jsonWithTail(FrameKind.Head, 7, { text: text.toWellFormed() }, tail);
      const reader = new FrameReader();
      let found: unknown;
      reader.push(takeAll(writer), ({ payload }) => (found = decodeJsonWithTail(payload)));
      assert.deepEqual(found, { head: { text: text.toWellFormed() }, tail: new Uint8Array(tail) });
    }),
  );
});

Deno.test("what take() gave away does not change when the writer goes on", () => {
  const writer = new FrameWriter();
  writer.bytes(FrameKind.Ping, 1, new Uint8Array([1, 2, 3]));
  const first = writer.take();
  const copy = [...first];
  writer.bytes(FrameKind.Pong, 2, new Uint8Array([9, 9, 9]));
  writer.take();
  assert.deepEqual([...first], copy);
});

Deno.test("a frame larger than a read arrives once, whole", () => {
  const writer = new FrameWriter();
  const payload = new Uint8Array(1024 * 1024).map((_, at) => at % 251);
  writer.bytes(FrameKind.ResponseChunk, 3, payload);
  const bytes = writer.take();
  const cuts = Array.from({ length: 40 }, (_, at) => at * 30_000);
  const [seen, ...others] = readAll(bytes, cuts);
  assert.equal(others.length, 0);
  assert.equal(seen?.payload.length, payload.length);
  assert.deepEqual(seen?.payload.slice(-5), [...payload.slice(-5)]);
});

Deno.test("a length that no frame can have ends the reading", () => {
  for (const length of [0, 4, maxFrameBytes + 1, 0xffff_ffff]) {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint32(0, length, true);
    assert.throws(() => new FrameReader().push(bytes, () => {}), FrameError);
  }
});

Deno.test("long tails and short frames keep their order, read from a source that gives a little at a time", async () => {
  const writer = new FrameWriter();
  const long = crypto.getRandomValues(new Uint8Array(60_000)).toHex();
  const tail = new TextEncoder().encode(long);
  writer.bytes(FrameKind.Ping, 1);
  writer.jsonWithTail(FrameKind.Finished, 2, { n: 2 }, tail);
  writer.json(FrameKind.Console, 3, { n: 3 });
  writer.jsonWithTail(FrameKind.Finished, 4, { n: 4 }, tail);
  writer.bytes(FrameKind.Pong, 5);
  const bytes = takeAll(writer);
  let at = 0;
  const source = {
    read(into: Bytes): Promise<number | null> {
      if (at === bytes.length) return Promise.resolve(null);
      const count = Math.min(into.length, 7001, bytes.length - at);
      into.set(bytes.subarray(at, at + count));
      at += count;
      return Promise.resolve(count);
    },
  };
  const seen: unknown[] = [];
  await new FrameReader().readAll(source, new Uint8Array(4096), ({ kind, id, payload }) => {
    const body = kind === FrameKind.Finished ? decodeJsonWithTail(payload) : null;
    seen.push([kind, id, body && new TextDecoder().decode(body.tail) === long]);
  });
  assert.deepEqual(seen, [
    [FrameKind.Ping, 1, null],
    [FrameKind.Finished, 2, true],
    [FrameKind.Console, 3, null],
    [FrameKind.Finished, 4, true],
    [FrameKind.Pong, 5, null],
  ]);
});
