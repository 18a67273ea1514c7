// Opens logins to app databases as one of the three roles. A database server that is starting is waited for; a login that
// the roles' state forbids (password or defaults changed by hostile SQL) is mended by the owner and tried once more.

import { AppError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { DatabaseRole } from "../core/principal.ts";
import { AppSession, sessionDefaults } from "./app_session.ts";
import type { PoolKey } from "./connection_pool.ts";
import { isSocketError } from "./query_error.ts";
import type { AppRoles } from "./roles.ts";
import type { Server } from "./server.ts";
import { Connection, ServerError } from "./wire/mod.ts";

const patienceMs = 10_000;
/** 57P03: starting or stopping. 53300: no connection slot free. */
const passing = new Set(["57P03", "53300"]);

export interface SessionParts {
  server: Server;
  roles: AppRoles;
  log: Logger;
}

/** @throws {AppError} EXTERNAL_DB_ERROR when no login is had within ten seconds. */
export async function openAppSession({ database, role }: PoolKey, parts: SessionParts): Promise<AppSession> {
  const { roles, log } = parts;
  const giveUp = AbortSignal.timeout(patienceMs);
  let mended = false;
  for (let pause = 20;; pause = Math.min(500, pause * 2)) {
    try {
      const session = await login(database, role as DatabaseRole, parts, giveUp);
      if (session !== "tampered") return session;
      if (mended) throw new Error(`The defaults of role ${role} change while they are being reset`);
      mended = true;
      log.warn("The defaults of a database role were changed by SQL, and are reset", { database, role });
      await roles.mend(role as DatabaseRole);
    } catch (error) {
      const starting = isSocketError(error) || error instanceof ServerError && passing.has(error.code);
      if (starting && !giveUp.aborted) {
        await new Promise((done) => setTimeout(done, pause));
      } else if (error instanceof ServerError && error.code !== "3D000" && !starting && !mended) {
        mended = true;
        log.warn("A database role could not log in, and is mended", { database, role, code: error.code });
        await roles.mend(role as DatabaseRole);
      } else {
        throw new AppError("EXTERNAL_DB_ERROR", `Cannot connect to the app's database as ${role}`, {
          cause: error,
        });
      }
    }
  }
}

async function login(
  database: string,
  role: DatabaseRole,
  { server, roles }: SessionParts,
  signal: AbortSignal,
): Promise<AppSession | "tampered"> {
  const connection = await Connection.open(server.endpoint, {
    user: role,
    password: await roles.password(role),
    database,
    settings: { ...sessionDefaults, "app.role": role },
    signal,
  });
  const session = new AppSession(connection);
  try {
    if (await session.prepare() === "ready") return session;
  } catch (error) {
    connection.close();
    throw error;
  }
  connection.close();
  return "tampered";
}
