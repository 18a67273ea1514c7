// What an app's owner does with its end users.

import { AppError } from "../../core/errors.ts";
import { type AppId, isUuid } from "../../core/ids.ts";
import type { Sql } from "../../db/mod.ts";
import { deleteEndUser, type EndUserPage, listEndUsers, setBlocked } from "../../db/queries/end_users.ts";
import { listedUser } from "./user_views.ts";

export class UserAdministration {
  readonly #sql: Sql;

  constructor({ sql }: { sql: Sql }) {
    this.#sql = sql;
  }

  /** A page, newest first. */
  async list(appId: AppId, { limit, after, search }: EndUserPage) {
    const rows = await listEndUsers(this.#sql, appId, { limit: limit + 1, after, search });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      users: page.map(listedUser),
      next_cursor: rows.length > limit && last !== undefined ? cursorOf(last) : null,
    };
  }

  /** Takes the user away, with sessions, codes and mails. @throws {AppError} RESOURCE_NOT_FOUND */
  async remove(appId: AppId, id: string) {
    const email = isUuid(id) ? await deleteEndUser(this.#sql, appId, id) : null;
    if (email === null) throw userNotFound(id);
    return { deleted: true, user_id: id, email };
  }

  /** Blocked, a user cannot sign in or refresh; a token that was issued lives out its time. */
  async setBlocked(appId: AppId, id: string, blocked: boolean) {
    const user = isUuid(id) ? await setBlocked(this.#sql, { appId, id, blocked }) : null;
    if (user === null) throw userNotFound(id);
    return { user_id: user.id, email: user.email, blocked: user.blocked_at !== null };
  }
}

function userNotFound(id: string): AppError {
  return new AppError("RESOURCE_NOT_FOUND", `The app has no user "${id.slice(0, 64)}"`, {
    remediation: "GET /v1/{app}/admin/auth/users lists the app's users.",
  });
}

/** @throws {AppError} VALIDATION_INVALID_TYPE for a cursor that is not one of ours. */
export function parseUserPage(query: Readonly<Record<string, string>>): EndUserPage {
  const limit = /^\d+$/.test(query["limit"] ?? "") ? Number(query["limit"]) : 50;
  const search = query["search"]?.trim().normalize("NFC").toLowerCase() || null;
  if (search !== null && (search.length > 254 || search.includes("\0"))) {
    throw new AppError(
      "VALIDATION_INVALID_TYPE",
      "search must be a part of an address, of at most 254 characters",
    );
  }
  const cursor = query["cursor"];
  return {
    limit: Math.min(200, Math.max(1, limit)),
    after: cursor === undefined || cursor === "" ? null : parseCursor(cursor),
    search,
  };
}

function cursorOf({ created, id }: { created: string; id: string }): string {
  return new TextEncoder().encode(`${created} ${id}`).toBase64({ alphabet: "base64url", omitPadding: true });
}

function parseCursor(text: string): { created: string; id: string } {
  const [, created, id] = /^(\d{1,12}(?:\.\d{1,6})?) ([0-9a-f-]{36})$/.exec(decoded(text)) ?? [];
  if (created !== undefined && id !== undefined && isUuid(id)) return { created, id };
  throw new AppError("VALIDATION_INVALID_TYPE", "cursor is not one that a page before has answered", {
    remediation: "Send next_cursor of the page before as it is, or leave cursor out to begin again.",
  });
}

function decoded(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(text, { alphabet: "base64url" }));
  } catch {
    return "";
  }
}
