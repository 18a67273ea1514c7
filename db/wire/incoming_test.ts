// Messages are the same however the stream is cut, and none is lost when a reader stops between two.

import assert from "node:assert/strict";
import { Incoming } from "./incoming.ts";

function message(type: string, body: string): number[] {
  const bytes = [...new TextEncoder().encode(body)];
  return [type.charCodeAt(0), 0, 0, 0, bytes.length + 4, ...bytes];
}

const stream = new Uint8Array([...message("A", "first"), ...message("B", ""), ...message("C", "the third")]);
const whole = ["A first", "B ", "C the third"];

function show({ type, body }: { type: number; body: Uint8Array }): string {
  return `${String.fromCharCode(type)} ${new TextDecoder().decode(body)}`;
}

Deno.test("push() gives the same messages for every way to cut the stream", () => {
  for (let size = 1; size <= stream.length; size++) {
    const incoming = new Incoming();
    const found: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      for (const one of incoming.push(stream.slice(at, at + size))) found.push(show(one));
    }
    assert.deepEqual(found, whole, `in pieces of ${size}`);
  }
});

Deno.test("push() goes on after the message at which its reader stopped", () => {
  const incoming = new Incoming();
  for (const one of incoming.push(stream)) {
    assert.equal(show(one), whole[0]);
    break;
  }
  assert.deepEqual([...incoming.push(new Uint8Array())].map(show), whole.slice(1));
});

Deno.test("push() refuses a length that no message can have", () => {
  assert.throws(() => [...new Incoming().push(new Uint8Array([65, 0, 0, 0, 1]))], /impossible length/);
});
