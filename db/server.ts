// Which PostgreSQL server we use and how we log in to it as its owner: the embedded one, or DATABASE_URL. The password
// lives here and in the options handed to the clients, nowhere else.

import postgres from "postgres";
import { AppError } from "../core/errors.ts";
import { Secret } from "../core/config.ts";
import type { Endpoint } from "./wire/mod.ts";

/** A PostgreSQL server with the login that may make databases and roles on it. */
export interface Server {
  readonly endpoint: Endpoint;
  readonly user: string;
  readonly password: Secret;
  readonly controlDatabase: string;
}

/**
 * Parses DATABASE_URL: `postgres://user:password@host:port/database?sslmode=…`, with `?host=/folder` for a unix socket.
 * Its database becomes the control database, `butterbase_control` when it names none.
 * @throws {AppError} when a part is missing or `sslmode` is unknown; the message never holds the URL.
 */
export function parseDatabaseUrl(text: string): Server {
  // libpq allows an empty host, which URLs do not.
  const url = URL.parse(text.replace(/^postgres(?:ql)?:\/\/([^/?@]*@)?(?=[/?])/, "postgres://$1localhost"));
  if (url === null) throw invalid("it is not a URL");
  if (url.username === "") throw invalid("it names no user");
  const port = Number(url.port || url.searchParams.get("port") || 5432);
  const folder = url.searchParams.get("host");
  return {
    endpoint: folder?.startsWith("/")
      ? { kind: "unix", path: `${folder}/.s.PGSQL.${port}` }
      : { kind: "tcp", hostname: url.hostname.replace(/^\[|\]$/g, ""), port, tls: tlsMode(url) },
    user: decodeURIComponent(url.username),
    password: new Secret(decodeURIComponent(url.password)),
    controlDatabase: decodeURIComponent(url.pathname.slice(1)) || "butterbase_control",
  };
}

function tlsMode(url: URL): "off" | "prefer" | "require" | "verify" {
  const mode = url.searchParams.get("sslmode") ?? "disable";
  switch (mode) {
    case "disable":
      return "off";
    case "allow":
    case "prefer":
      return "prefer";
    case "require":
      return "require";
    case "verify-ca":
    case "verify-full":
      return "verify";
    default:
      throw invalid(`sslmode is "${mode}"`);
  }
}

function invalid(what: string): AppError {
  return new AppError("EXTERNAL_DB_ERROR", `Cannot use DATABASE_URL: ${what}`, {
    remediation: "Use postgres://user:password@host:port/database, with ?sslmode=verify-full for TLS.",
  });
}

/** A postgres.js client of `database`, logged in as the server's owner. It connects when first used. */
export function openSql(server: Server, database: string, { max }: { max: number }): postgres.Sql {
  const { endpoint } = server;
  const tlsOptions = { off: false, prefer: "prefer", require: "require", verify: "verify-full" } as const;
  // postgres.js looks at `path` when it is there at all, so a TCP server must not have the field.
  const place = endpoint.kind === "unix"
    ? { path: endpoint.path }
    : { host: endpoint.hostname, port: endpoint.port, ssl: tlsOptions[endpoint.tls] };
  return postgres({
    ...place,
    database,
    username: server.user,
    password: server.password.reveal(),
    max,
    connect_timeout: 10,
    idle_timeout: 0,
    // Waits after a failed connect stay short: the embedded server is back within a second.
    backoff: (retries) => Math.min(2, 0.05 * 2 ** retries),
    // Serializers of arrays come from the types it reads first.
    fetch_types: true,
    onnotice() {},
    connection: { application_name: "butterbase" },
  });
}

/**
 * Ends a client. After its server was killed, postgres.js waits for ever for the farewell of a connection that is gone,
 * so the wait is bounded.
 */
export async function closeSql(sql: postgres.Sql): Promise<void> {
  await sql.end({ timeout: 2 });
}
