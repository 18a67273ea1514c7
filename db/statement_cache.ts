// Which statements one connection has prepared, so that a text met again is neither parsed nor planned anew. Bounded:
// the one unused longest is closed. A name is never used twice, so a failed preparation cannot be taken for a good one.

import type { Statement } from "./statement.ts";
import type { Outgoing } from "./wire/mod.ts";

const most = 50;
/** Longer texts are rarely the same twice, and would fill the backend's memory. */
const longestText = 8192;

export class StatementCache {
  readonly #names = new Map<string, string>();
  readonly #toClose: string[] = [];
  #made = 0;

  /** Adds to `batch` what binds the statement, and says whether it was prepared before. */
  bindInto(batch: Outgoing, { text, parameters }: Statement): "new" | "known" | "unnamed" {
    for (const name of this.#toClose.splice(0)) batch.closeStatement(name);
    if (text.length > longestText) {
      batch.parse("", text).bind("", parameters);
      return "unnamed";
    }
    const known = this.#names.get(text);
    const name = known ?? `butterbase_q${++this.#made}`;
    this.#names.delete(text);
    this.#names.set(text, name);
    if (known === undefined) batch.parse(name, text);
    if (this.#names.size > most) this.forget(this.#names.keys().next().value as string);
    batch.bind(name, parameters);
    return known === undefined ? "new" : "known";
  }

  /** Prepares `text` afresh the next time. */
  forget(text: string): void {
    const name = this.#names.get(text);
    if (name === undefined) return;
    this.#names.delete(text);
    this.#toClose.push(name);
  }
}
