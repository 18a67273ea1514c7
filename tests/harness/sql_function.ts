// A function that runs the SQL it is sent as whoever calls it: with a platform key the service role, with a user's token
// that user, without either anonymously.

import { ownerKey, type TestPlatform } from "./platform.ts";

// deno-lint-ignore no-explicit-any -- rows are what a test looks at.
type Rows = any[];

export interface SqlAnswer {
  rows: Rows;
  /** Code of the error, `null` when there was none. */
  error: string | null;
  message: string;
}

export interface SqlApp {
  readonly id: string;
  /** Runs it as the bearer of the credential; `null` for nobody. */
  as(credential: string | null, text: string, parameters?: unknown[]): Promise<SqlAnswer>;
  /** Runs it as the service role. @throws when PostgreSQL refuses it. */
  run(text: string): Promise<Rows>;
  user(id: string): Promise<string>;
}

const code = `export default async (req, ctx) => {
  const { text, parameters } = await req.json();
  try {
    const { rows } = await ctx.db.query(text, parameters);
    return Response.json({ rows, error: null, message: "" });
  } catch (error) {
    return Response.json({ rows: [], error: error.code, message: error.message });
  }
}`;

/** An app of the test's own with such a function. */
export async function createSqlApp(p: TestPlatform): Promise<SqlApp> {
  const id = await p.createApp();
  const url = await p.deploy(id, "sql", code, { auth: "optional" });
  async function as(credential: string | null, text: string, parameters: unknown[] = []): Promise<SqlAnswer> {
    const { status, body } = await p.json("POST", url, { key: credential, body: { text, parameters } });
    if (status !== 200) throw new Error(`The SQL did not run: ${status} ${JSON.stringify(body)}`);
    return body;
  }
  return {
    id,
    as,
    async run(text) {
      const { rows, error, message } = await as(ownerKey, text);
      if (error !== null) throw new Error(`${error} ${message}`);
      return rows;
    },
    user: (userId) => p.userToken(id, userId),
  };
}
