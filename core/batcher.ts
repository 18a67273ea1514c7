// Collects rows off the request path and writes them together: after a short while, or when many have come. What cannot
// be written is tried again; beyond the limit the oldest are dropped and counted. Flushed at the end.

export interface BatcherParts<Row> {
  write(rows: readonly Row[]): Promise<void>;
  /** What a row counts for when it is dropped; 1 unless told. */
  sizeOf?(row: Row): number;
  /** Longest time a row waits, ms. */
  everyMs: number;
  /** Rows in one write. */
  batch: number;
  /** Rows kept at most; the oldest give way. */
  limit: number;
  onFailure(error: unknown, dropped: number): void;
}

export class Batcher<Row> {
  readonly #parts: BatcherParts<Row>;
  #rows: Row[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | null = null;
  #dropped = 0;
  #failures = 0;
  #isClosed = false;

  constructor(parts: BatcherParts<Row>) {
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#rows.length;
  }

  add(row: Row): void {
    this.#rows.push(row);
    if (this.#rows.length > this.#parts.limit) {
      // In one step for a tenth of them: shifting one at a time would cost as much as the flood itself.
      const excess = Math.ceil(this.#parts.limit / 10);
      for (const dropped of this.#rows.splice(0, excess)) this.#dropped += this.#parts.sizeOf?.(dropped) ?? 1;
    }
    if (this.#rows.length >= this.#parts.batch && this.#failures === 0) this.#start();
    else this.#later();
  }

  /** Resolves when all that was added before is written, or could not be. */
  async flush(): Promise<void> {
    // Twice: a write that was under way may fail, and its rows are then tried once more.
    for (let round = 0; round < 2; round++) {
      this.#start();
      await this.#writing;
    }
  }

  /** Flushes, and starts nothing more: what could not be written then is lost. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
  }

  #later(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => this.#start(), this.#parts.everyMs * (1 + this.#failures));
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing !== null || this.#rows.length === 0) return;
    this.#writing = this.#drain().finally(() => {
      this.#writing = null;
      if (this.#rows.length > 0) this.#later();
    });
  }

  async #drain(): Promise<void> {
    while (this.#rows.length > 0) {
      const rows = this.#rows.splice(0, this.#parts.batch);
      try {
        await this.#parts.write(rows);
        this.#failures = 0;
      } catch (error) {
        this.#rows.unshift(...rows);
        this.#failures = Math.min(this.#failures + 1, 20);
        this.#parts.onFailure(error, this.#dropped);
        this.#dropped = 0;
        return;
      }
    }
  }
}
