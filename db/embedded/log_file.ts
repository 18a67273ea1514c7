// PostgreSQL's own messages, in `<dataDir>/postgres.log`, with one file before it: never more than twice the bound, and
// no end user's data, since errors of statements are not logged.

const largest = 5 * 1048576;
const tailLength = 4000;

export interface LogFile {
  /** Writes what `stream` gives, to its end. */
  pump(stream: ReadableStream<Uint8Array>): Promise<void>;
  /** The latest lines, to say why a start failed. */
  tail(): string;
}

export function openLogFile(path: string): LogFile {
  let tail = "";

  async function append(bytes: Uint8Array): Promise<void> {
    const size = await Deno.stat(path).then((info) => info.size, () => 0);
    if (size + bytes.length > largest) await Deno.rename(path, `${path}.1`).catch(() => {});
    await Deno.writeFile(path, bytes, { append: true, mode: 0o600 });
  }

  return {
    async pump(stream) {
      const decoder = new TextDecoder();
      for await (const bytes of stream) {
        tail = (tail + decoder.decode(bytes, { stream: true })).slice(-tailLength);
        // A full disk must not stop the reading: PostgreSQL would wait for its log for ever.
        await append(bytes).catch(() => {});
      }
    },
    tail: () => tail.trim(),
  };
}
