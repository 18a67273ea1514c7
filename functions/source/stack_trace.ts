// Turns the stack of an error in a bundle into one of the developer's own lines. Garbage comes out as it went in,
// only shorter: nothing here throws, and the work is bounded however long the stack is.

import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import { entrySource } from "./tidy_source_map.ts";

export interface StackOptions {
  /** Names the bundle among all bundles: an immutable version's id or its content hash. */
  readonly version: string;
  /** Gives the version's source map; asked only when it is not at hand. `null` when there is none. */
  readonly sourceMap: () => string | null;
  /** What the developer's file is called, such as `hello-world.ts`. */
  readonly displayName: string;
  /** Recognises the file of a frame in the bundle; by default `function:…` and `blob:…`. */
  readonly isBundle?: (file: string) => boolean;
}

const maxStackLength = 10_000;
const maxFrames = 50;
const defaultMaxVersions = 32;

/** Maps stacks, keeping the source maps of the versions used last. */
export class StackTraces {
  readonly #maps = new Map<string, TraceMap | null>();
  readonly #maxVersions: number;

  constructor({ maxVersions = defaultMaxVersions }: { maxVersions?: number } = {}) {
    this.#maxVersions = maxVersions;
  }

  /**
   * Maps a stack as V8 writes it.
   * @example traces.map(error.stack, { version, sourceMap, displayName: "hello-world.ts" })
   */
  map(stack: string, options: StackOptions): string {
    const { isBundle = isBundleFile, displayName } = options;
    const lines: string[] = [];
    let frames = 0;
    for (const line of String(stack).slice(0, maxStackLength).split("\n")) {
      const frame = parseFrame(line);
      if (frame === null) {
        lines.push(line);
        continue;
      }
      const shown = frame.kind === "placed" && isBundle(frame.file)
        ? this.#mapped(frame, options.version, options.sourceMap, displayName)
        : visible(frame);
      if (shown === null) continue;
      frames += 1;
      if (frames > maxFrames) break;
      lines.push(shown);
    }
    return lines.join("\n").slice(0, maxStackLength);
  }

  #mapped(
    frame: PlacedFrame,
    version: string,
    sourceMap: () => string | null,
    displayName: string,
  ): string {
    const map = this.#mapOf(version, sourceMap);
    const original = map === null ? null : originalOf(map, frame);
    // A frame of the bundler's own helpers has no original: its place in the bundle is all there is.
    if (original === null) return written(frame, `${displayName} (bundled):${frame.line}:${frame.column}`);
    const file = original.source === entrySource ? displayName : original.source;
    return written(frame, `${file}:${original.line}:${original.column}`);
  }

  #mapOf(version: string, sourceMap: () => string | null): TraceMap | null {
    const known = this.#maps.get(version);
    const map = known === undefined ? readMap(sourceMap) : known;
    this.#maps.delete(version);
    this.#maps.set(version, map);
    for (const oldest of this.#maps.keys()) {
      if (this.#maps.size <= this.#maxVersions) break;
      this.#maps.delete(oldest);
    }
    return map;
  }
}

type Frame = PlacedFrame | { kind: "unplaced"; line: string };

interface PlacedFrame {
  readonly kind: "placed";
  readonly text: string;
  /** Everything before the place, such as `    at async handler (`. */
  readonly before: string;
  readonly after: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Reads one line of a stack; `null` when it is no frame but part of the message. */
function parseFrame(text: string): Frame | null {
  const start = /^\s{1,16}at /.exec(text)?.[0];
  if (start === undefined) return null;
  const end = text.endsWith(")") ? text.length - 1 : text.length;
  const open = end < text.length ? text.lastIndexOf("(", end) : -1;
  const from = open >= 0 ? open + 1 : start.length + (text.startsWith("async ", start.length) ? 6 : 0);
  const place = /^(.+?):(\d{1,9}):(\d{1,9})$/.exec(text.slice(from, end));
  if (place === null) return { kind: "unplaced", line: text };
  const [, file = "", line, column] = place;
  return {
    kind: "placed",
    text,
    before: text.slice(0, from),
    after: text.slice(end),
    file,
    line: Number(line),
    column: Number(column),
  };
}

function isBundleFile(file: string): boolean {
  return file.startsWith("function:") || file.startsWith("blob:");
}

/** Frames that are not of the bundle: the runtime's own stay, those of the platform are left out. */
function visible(frame: Frame): string | null {
  if (frame.kind === "unplaced") return frame.line;
  return /^(node:|ext:|<anonymous>|native)/.test(frame.file) ? frame.text : null;
}

function written({ before, after }: PlacedFrame, place: string): string {
  return `${before}${place}${after}`;
}

function originalOf(
  map: TraceMap,
  { line, column }: PlacedFrame,
): { source: string; line: number; column: number } | null {
  try {
    const found = originalPositionFor(map, { line, column: Math.max(0, column - 1) });
    return found.source === null
      ? null
      : { source: found.source, line: found.line, column: found.column + 1 };
  } catch {
    return null;
  }
}

function readMap(sourceMap: () => string | null): TraceMap | null {
  try {
    const text = sourceMap();
    return text === null ? null : new TraceMap(text);
  } catch {
    return null;
  }
}
