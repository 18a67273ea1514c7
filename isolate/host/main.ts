// The main thread of an isolate host: it starts the worker, answers for it when that is stuck, and ends the process when
// the server is gone. The worker has a socket of its own to the server; this thread never runs user code.
// CONNECTING → CONFINED → gone.

import { type Bytes, FrameKind, FrameReader, FrameWriter } from "../protocol/frames.ts";
import type { StartedMessage } from "../protocol/messages.ts";
import { confine, type Confinement } from "./confinement.ts";
import { sealWhen } from "../protocol/messages.ts";
import { Progress, progressWords } from "../protocol/progress.ts";

const [controlPath, workerPath, workerUrl, confinement] = Deno.args as [string, string, string, string];
const control = await Deno.connect({ transport: "unix", path: controlPath });

const words = progressWords();
const progress = new Progress(words);

// deno-lint-ignore no-explicit-any -- the `deno` option of Worker is unstable, and not in its type.
const options: any = {
  type: "module",
  name: "function",
  deno: {
    permissions: {
      net: "inherit",
      // Its socket, whose folder is gone once it is connected: what these grant is nothing by then.
      read: [workerPath],
      write: [workerPath],
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
    while (written < bytes.length) written += await control.write(bytes.subarray(written));
  } catch {
    Deno.exit(0);
  }
}

// A throw that nothing in the worker caught. Without preventDefault the whole process would end, and with it the
// answers of other invocations.
worker.onerror = (event) => {
  event.preventDefault();
  const frames = new FrameWriter();
  frames.json(FrameKind.WorkerFailed, 0, { name: "Error", message: event.message, stack: null });
  send(frames.take());
};

worker.postMessage({ progress: words, path: workerPath });

// The worker says once that it is connected and its sandbox closed. Only a confined process may be given a function.
worker.addEventListener("message", () => {
  const frames = new FrameWriter();
  const missing = confine(JSON.parse(confinement) as Confinement | null);
  frames.json(FrameKind.Started, 0, { missing } satisfies StartedMessage);
  send(frames.take());
}, { once: true });

const reader = new FrameReader();
const buffer = new Uint8Array(4096);
try {
  for (;;) {
    const count = await control.read(buffer);
    if (count === null) break;
    reader.push(buffer.slice(0, count), ({ kind, id }) => {
      if (kind !== FrameKind.Report) return;
      const frames = new FrameWriter(64);
      frames.json(FrameKind.ReportAnswer, id, progress.seal(id === sealWhen.always ? "always" : "held"));
      send(frames.take());
    });
  }
} finally {
  // Also when the worker spins: exit on the main thread ends the process at once.
  Deno.exit(0);
}
