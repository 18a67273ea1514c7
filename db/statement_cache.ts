// Which statements one connection has prepared, so that a text met again is neither parsed, planned nor described anew.
// Bounded: the one unused longest is closed. A name is never used twice, so a failed preparation cannot be taken for a
// good one.

import type { Statement } from "./statement.ts";
import type { Column, Outgoing } from "./wire/mod.ts";

const most = 50;
/** Longer texts are rarely the same twice, and would fill the backend's memory. */
const longestText = 8192;

/** A statement that the connection has prepared, or is asked to with the batch that first binds it. */
export interface Prepared {
  readonly text: string;
  readonly name: string;
  /** Of its result; `null` until it has run once. */
  columns: readonly Column[] | null;
}

export class StatementCache {
  readonly #known = new Map<string, Prepared>();
  readonly #toClose: string[] = [];
  #made = 0;

  /** The statement prepared for `text`, if it has been met before. */
  find(text: string): Prepared | undefined {
    const known = this.#known.get(text);
    if (known === undefined) return undefined;
    this.#known.delete(text);
    this.#known.set(text, known);
    return known;
  }

  /** Adds to `batch` what prepares `text`; `undefined` when it is too long to be kept. */
  prepareInto(batch: Outgoing, { text }: Statement): Prepared | undefined {
    for (const name of this.#toClose.splice(0)) batch.closeStatement(name);
    if (text.length > longestText) return undefined;
    const prepared: Prepared = { text, name: `butterbase_q${++this.#made}`, columns: null };
    this.#known.set(text, prepared);
    if (this.#known.size > most) this.forget(this.#known.values().next().value as Prepared);
    batch.parse(prepared.name, text);
    return prepared;
  }

  /** Prepares its text afresh the next time. */
  forget({ text, name }: Prepared): void {
    if (this.#known.get(text)?.name !== name) return;
    this.#known.delete(text);
    this.#toClose.push(name);
  }
}
