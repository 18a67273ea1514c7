// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Apps with tables, for tests of what is kept in them: two nodes on the same databases, of which the second has narrow
// limits.

import { closeSql, openSql, parseDatabaseUrl } from "../../db/server.ts";
import { type RequestOptions, startTestPlatform, type TestPlatform } from "./platform.ts";

export interface DataOptions extends RequestOptions {
  /** `small`: five rows, 2,000 bytes, one second. */
  node?: "usual" | "small";
}

export interface DataApp {
  readonly id: string;
  /** `path` is below /v1/{app}/. */
  request(method: string, path: string, options?: DataOptions): Promise<Response>;
  json(
    method: string,
    path: string,
    options?: DataOptions,
  ): Promise<{ status: number; body: any; headers: Headers }>;
  /** Runs SQL as the app's service role; the node is told to look, unless a test is about that. */
  sql(text: string, options?: { tell?: boolean }): Promise<void>;
  userToken(userId: string, claims?: Record<string, unknown>): Promise<string>;
}

export interface DataWorld extends AsyncDisposable {
  readonly platform: TestPlatform["platform"];
  readonly usual: TestPlatform;
  /** An app with what `sql` makes. */
  app(sql: string): Promise<DataApp>;
}

export async function dataWorld(): Promise<DataWorld> {
  await using opened = new AsyncDisposableStack();
  const usual = opened.use(await startTestPlatform());
  const narrow = { BUTTERBASE_REST_ROWS: "5", BUTTERBASE_REST_BYTES: "2000", BUTTERBASE_REST_SECONDS: "1" };
  const small = opened.use(await startTestPlatform(narrow, { joining: usual }));
  const all = opened.move();
  return {
    platform: usual.platform,
    usual,
    app: (sql) => makeApp({ usual, small }, sql),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function makeApp(nodes: { usual: TestPlatform; small: TestPlatform }, first: string): Promise<DataApp> {
  const { usual } = nodes;
  const id = await usual.createApp();
  const look = () => usual.json("GET", `/v1/${id}/schema`);
  await look();
  const app: DataApp = {
    id,
    request: (method, path, { node = "usual", ...options } = {}) =>
      nodes[node].request(method, `/v1/${id}/${path}`, options),
    async json(method, path, options) {
      const response = await app.request(method, path, options);
      const text = await response.text();
      return {
        status: response.status,
        body: text === "" ? null : JSON.parse(text),
        headers: response.headers,
      };
    },
    async sql(text, { tell = true } = {}) {
      const sql = openSql(parseDatabaseUrl(usual.databaseUrl), id, { max: 1 });
      try {
        await sql.unsafe(`set role butterbase_service; ${text}`);
      } finally {
        await closeSql(sql);
      }
      if (tell) await look();
    },
    userToken: (userId, claims = {}) => usual.userToken(id, userId, claims),
  };
  await app.sql(first);
  return app;
}
