// A function's source: from the text a developer sends to a bundle that a worker can run, and back from a stack in
// that bundle to the developer's lines. `checkSource` is not here on purpose: it runs in a process of its own.

export { type BundledSource, type BundleOptions, bundleSource } from "./bundle.ts";
export { type HandlerForm } from "./find_handler.ts";
export { prepareBundler } from "./prepare_bundler.ts";
export { type StackOptions, StackTraces } from "./stack_trace.ts";
