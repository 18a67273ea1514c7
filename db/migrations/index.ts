// Every migration in the order it runs. A new one is a new file and a new line here; a line that has shipped never
// changes. The texts are imported, not read, so that they are part of a compiled program too.

import base from "./0001_base.sql" with { type: "text" };
import platform from "./0002_platform.sql" with { type: "text" };

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export const migrations: readonly Migration[] = [
  { version: 1, name: "base", sql: base },
  { version: 2, name: "platform", sql: platform },
];
