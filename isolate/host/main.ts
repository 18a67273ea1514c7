// The main thread of an isolate host: it carries frames between the server's socket and the worker, answers for the
// worker when that is stuck, and ends the process when the server is gone. It never runs user code.
// CONNECTING → PUMPING → gone.

import {
  type Bytes,
  firstWorkerKind,
  frameHeadBytes,
  FrameKind,
  FrameReader,
  FrameWriter,
} from "../protocol/frames.ts";

const readBytes = 256 * 1024;

const [socketPath, workerUrl] = Deno.args as [string, string];
const socket = await Deno.connect({ transport: "unix", path: socketPath });

// The worker counts here the invocations it has begun, where this thread can read it however busy the worker is.
const begun = new Int32Array(new SharedArrayBuffer(4));

// deno-lint-ignore no-explicit-any -- the `deno` option of Worker is unstable, and not in its type.
const options: any = {
  type: "module",
  name: "function",
  deno: {
    permissions: {
      net: "inherit",
      read: false,
      write: false,
      env: false,
      run: false,
      ffi: false,
      sys: false,
      import: false,
    },
  },
};
const worker = new Worker(workerUrl, options);

let writing = Promise.resolve();

function send(bytes: Bytes): void {
  writing = writing.then(() => writeAll(bytes));
}

async function writeAll(bytes: Bytes): Promise<void> {
  try {
    let written = 0;
    while (written < bytes.length) written += await socket.write(bytes.subarray(written));
  } catch {
    Deno.exit(0);
  }
}

worker.onmessage = (event: MessageEvent<Bytes>) => send(event.data);

// A throw that nothing in the worker caught. Without preventDefault the whole process would end, and with it the
// answers of other invocations.
worker.onerror = (event) => {
  event.preventDefault();
  const frames = new FrameWriter();
  frames.json(FrameKind.WorkerFailed, 0, { name: "Error", message: event.message, stack: null });
  send(frames.take());
};

worker.postMessage(begun);

const control = new FrameReader();

/** Answers the frames that are for this thread; everything else goes to the worker as it came. */
function answer(kind: number, id: number): void {
  if (kind !== FrameKind.Report) return;
  const frames = new FrameWriter(64);
  frames.json(FrameKind.ReportAnswer, id, { begun: Atomics.load(begun, 0), ...Deno.memoryUsage() });
  send(frames.take());
}

/** Whole frames for the worker are passed on together, one message for each read. */
class Pump {
  #frames = new FrameWriter(64 * 1024);

  push(chunk: Bytes): void {
    control.push(chunk, ({ kind, id, payload }) => {
      if (kind < firstWorkerKind) answer(kind, id);
      else this.#frames.bytes(kind as FrameKind, id, payload);
    });
    if (this.#frames.length < frameHeadBytes) return;
    const bytes = this.#frames.take();
    worker.postMessage(bytes, [bytes.buffer]);
  }
}

const pump = new Pump();
const buffer = new Uint8Array(readBytes);
try {
  for (;;) {
    const count = await socket.read(buffer);
    if (count === null) break;
    pump.push(buffer.slice(0, count));
  }
} finally {
  // Also when the worker spins: exit on the main thread ends the process at once.
  Deno.exit(0);
}
