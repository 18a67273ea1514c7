// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// A whole platform for tests: a real server on a free port, real PostgreSQL, real isolates. One for each test file; every
// test makes an app of its own in it.

import { type Config, readConfig } from "../../core/config.ts";
import { type Logger, silentLogger } from "../../core/log.ts";
import type { Sql } from "../../db/mod.ts";
import { closeSql, openSql, parseDatabaseUrl } from "../../db/server.ts";
import { openTestDatabase } from "../../db/testing.ts";
import { type Platform, startPlatform } from "../../main.ts";

/** The operator's key in every test platform. */
export const ownerKey = `bb_sk_${"0".repeat(40)}`;

export interface DeployOptions {
  auth?: "required" | "optional" | "none";
  key?: string;
  /** Further fields of the deploy's body. */
  [field: string]: unknown;
}

export interface TestPlatform extends AsyncDisposable {
  readonly platform: Platform;
  readonly origin: string;
  readonly databaseUrl: string;
  /** The control database, to look at what is stored. */
  readonly sql: Sql;
  /** `fetch` of a path, with a platform key unless `key` is null, and JSON for an object as body. */
  request(method: string, path: string, options?: RequestOptions): Promise<Response>;
  /** The same, answering status and parsed body. */
  json(
    method: string,
    path: string,
    options?: RequestOptions,
  ): Promise<{ status: number; body: any; headers: Headers }>;
  /** Makes an app that is ready; its id. */
  createApp(options?: { key?: string }): Promise<string>;
  /** Deploys and answers the function's public URL. Public by default (`auth: "none"`). */
  deploy(app: string, name: string, code: string, options?: DeployOptions): Promise<string>;
  /** Lines of the function's log, newest first, once there are at least `count`. */
  logs(app: string, name: string, options?: { count?: number; query?: string }): Promise<any[]>;
  /** Adds an account; its first key. */
  addAccount(email?: string): Promise<string>;
  /** Signs a token of an end user of the app. */
  userToken(
    app: string,
    userId: string,
    claims?: Record<string, unknown>,
    ttlSeconds?: number,
  ): Promise<string>;
}

export interface RequestOptions {
  key?: string | null;
  headers?: HeadersInit;
  body?: BodyInit | object | null;
  signal?: AbortSignal;
  redirect?: RequestRedirect;
}

/**
 * Starts it; `overrides` are settings by their environment names. With `joining`, it is a second node on the databases of
 * that platform, which must outlive it.
 */
export async function startTestPlatform(
  overrides: Record<string, string> = {},
  { joining, log = silentLogger }: { joining?: TestPlatform; log?: Logger } = {},
): Promise<TestPlatform> {
  await using opened = new AsyncDisposableStack();
  const { databaseUrl } = joining ?? opened.use(await openTestDatabase());
  const server = parseDatabaseUrl(databaseUrl);
  const sql = openSql(server, server.controlDatabase, { max: 2 });
  opened.defer(() => closeSql(sql));
  const dataDir = await Deno.makeTempDir({ prefix: "bb-test-" });
  opened.defer(() => removeFolder(dataDir));
  const config: Config = readConfig({
    PORT: "0",
    BUTTERBASE_DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    BUTTERBASE_MASTER_KEY: "1".repeat(64),
    ...(joining === undefined ? { BUTTERBASE_BOOTSTRAP_KEY: ownerKey } : {}),
    BUTTERBASE_SAMPLE_APP: "off",
    BUTTERBASE_APP_CONNECTIONS: "16",
    BUTTERBASE_WARM_HOSTS: "1",
    BUTTERBASE_DRAIN_SECONDS: "5",
    ...overrides,
  });
  const platform = opened.use(await startPlatform(config, { log }));
  const running = opened.move();
  const { origin } = platform;

  const request: TestPlatform["request"] = (method, path, options = {}) => {
    const { key = ownerKey, headers: given, body = null, ...rest } = options;
    const headers = new Headers(given);
    if (key !== null && !headers.has("authorization")) headers.set("authorization", `Bearer ${key}`);
    const plain = isPlain(body);
    if (plain) headers.set("content-type", "application/json");
    return fetch(path.startsWith("http") ? path : `${origin}${path}`, {
      method,
      headers,
      body: plain ? JSON.stringify(body) : body as BodyInit | null,
      ...rest,
    });
  };
  const json: TestPlatform["json"] = async (method, path, options) => {
    const response = await request(method, path, options);
    const text = await response.text();
    return {
      status: response.status,
      body: text === "" ? null : JSON.parse(text),
      headers: response.headers,
    };
  };
  let names = 0;

  return {
    platform,
    origin,
    databaseUrl,
    sql,
    request,
    json,
    async createApp({ key = ownerKey } = {}) {
      const { status, body } = await json("POST", "/init", {
        key,
        body: { name: `test-${++names}-${Date.now()}` },
      });
      if (status !== 201) throw new Error(`No app was made: ${status} ${JSON.stringify(body)}`);
      return body.app_id;
    },
    async deploy(app, name, code, { auth = "none", key = ownerKey, ...fields } = {}) {
      const trigger = { type: "http", config: { auth } };
      const answer = await json("POST", `/v1/${app}/functions`, {
        key,
        body: { name, code, trigger, ...fields },
      });
      if (answer.status !== 200) {
        throw new Error(`Not deployed: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
      return `${origin}/v1/${app}/fn/${name}`;
    },
    async logs(app, name, { count = 1, query = "" } = {}) {
      const deadline = performance.now() + 10_000;
      for (;;) {
        const { status, body } = await json("GET", `/v1/${app}/functions/${name}/logs?${query}`);
        if (status !== 200) throw new Error(`No logs: ${status} ${JSON.stringify(body)}`);
        if (body.logs.length >= count) return body.logs;
        if (performance.now() > deadline) {
          throw new Error(`${count} log lines were awaited, ${body.logs.length} came`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async addAccount(email = `dev-${crypto.randomUUID()}@example.com`) {
      const { status, body } = await json("POST", "/admin/users", { body: { email, name: "Developer" } });
      if (status !== 201) throw new Error(`No account was made: ${status} ${JSON.stringify(body)}`);
      return body.key;
    },
    userToken: (app, id, claims = {}, ttlSeconds = 900) =>
      platform.tokens.issue(app as never, { id, claims }, ttlSeconds),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function isPlain(body: unknown): body is object {
  return typeof body === "object" && body !== null && Object.getPrototypeOf(body) === Object.prototype;
}

/** Tries for a while: an isolate host that was starting when the platform stopped may write there a moment longer. */
async function removeFolder(path: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (tries === 40) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
