// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// An app of a test platform, seen through its schema's routes.

import { serviceIdentity } from "../../core/principal.ts";
import type { Sql } from "../../db/mod.ts";
import { closeSql, openSql, parseDatabaseUrl } from "../../db/server.ts";
import type { TestPlatform } from "./platform.ts";

export interface SchemaAnswer {
  status: number;
  body: any;
  headers: Headers;
}

export interface SchemaApp {
  readonly id: string;
  /** Applies a document of these tables; further keys are the request's, but `_drop`, which is the document's. */
  apply(tables: unknown, further?: Record<string, unknown>): Promise<SchemaAnswer>;
  /** The same, which must succeed; the answer's body. */
  done(tables: unknown, further?: Record<string, unknown>): Promise<any>;
  /** What GET schema answers. */
  schema(): Promise<any>;
  /** The document's tables. */
  tables(): Promise<any>;
  history(): Promise<any[]>;
  /** Runs SQL with the rights that the app's functions have. */
  sql(text: string): Promise<any[]>;
  /** Does something in the app's database as its server's owner. */
  asOwner<Value>(work: (sql: Sql) => Promise<Value>): Promise<Value>;
}

export async function openSchemaApp(p: TestPlatform): Promise<SchemaApp> {
  const id = await p.createApp();
  const path = `/v1/${id}`;

  async function read(route: string): Promise<any> {
    const { status, body } = await p.json("GET", `${path}/${route}`);
    if (status !== 200) throw new Error(`GET ${route}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async function asOwner<Value>(work: (sql: Sql) => Promise<Value>): Promise<Value> {
    const owner = openSql(parseDatabaseUrl(p.databaseUrl), id, { max: 2 });
    try {
      return await work(owner);
    } finally {
      await closeSql(owner);
    }
  }

  const apply: SchemaApp["apply"] = (tables, { _drop, ...further } = {}) =>
    p.json("POST", `${path}/schema/apply`, { body: { schema: { tables, _drop }, ...further } });

  // Answered once the app's database is there.
  await read("schema");
  return {
    id,
    apply,
    async done(tables, further) {
      const { status, body } = await apply(tables, further);
      if (status !== 200) throw new Error(`Not applied: ${status} ${JSON.stringify(body)}`);
      return body;
    },
    schema: () => read("schema"),
    tables: async () => (await read("schema")).schema.tables,
    history: async () => (await read("migrations")).migrations,
    sql: (text) =>
      asOwner(async (owner) =>
        await owner.begin(async (tx) => {
          await tx.unsafe(`set local role ${serviceIdentity.role}`);
          return [...await tx.unsafe(text)];
        }) as any[]
      ),
    asOwner,
  };
}

/** The SQL of each statement of an answer. */
export const statementsOf = (body: any): string[] => body.statements.map(({ sql }: any) => sql);
