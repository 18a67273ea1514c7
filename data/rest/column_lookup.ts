// The columns of a table as a request names them. It notes whether a name was unknown: then the schema may have changed
// since it was read, and is worth another look before the caller is told.

import type { Column, Table } from "../catalogue/mod.ts";

export class ColumnLookup {
  readonly table: Table;
  #missed = false;

  constructor(table: Table) {
    this.table = table;
  }

  /** Whether some name was unknown. */
  get missed(): boolean {
    return this.#missed;
  }

  find(name: string): Column | undefined {
    const column = this.table.columns.get(name);
    this.#missed ||= column === undefined;
    return column;
  }
}
