// Accounts of developers and operators. The first start makes the owner; the owner adds the others.

import { AppError } from "../core/errors.ts";
import { type AccountId, newUuid } from "../core/ids.ts";
import type { Sql } from "../db/mod.ts";
import {
  type AccountRow,
  countAccounts,
  disableAccount,
  insertAccount,
  listAccounts,
} from "../db/queries/accounts.ts";
import { type MadeKey, newPlatformKey, type PlatformKeys } from "./platform_keys.ts";

export interface Accounts {
  /**
   * Makes the owner and its key if nobody is here yet; else `null`. A key that is not given is made, and shown before it
   * counts: a crash between the two leaves a key that was seen and does nothing, never one that nobody has seen.
   */
  bootstrap(key: string | undefined, show: (key: string) => void): Promise<string | null>;
  add(person: { email: string; name: string }): Promise<{ account: AccountRow; key: MadeKey }>;
  list(): Promise<AccountRow[]>;
  disable(id: string): Promise<void>;
}

export function createAccounts({ sql, keys }: { sql: Sql; keys: PlatformKeys }): Accounts {
  async function make(
    person: { email: string; name: string; operator: boolean },
    key?: string,
  ): Promise<{ account: AccountRow; key: MadeKey } | null> {
    const account = await insertAccount(sql, { id: newUuid<AccountId>(), ...person });
    if (account === null) return null;
    const made = { name: "First key", reach: { kind: "account" as const }, additionalScopes: [] };
    return { account, key: await keys.create(account.id, made, key) };
  }
  return {
    async bootstrap(given, show) {
      if (await countAccounts(sql) > 0) return null;
      const key = given ?? newPlatformKey();
      if (given === undefined) show(key);
      const made = await make({ email: "owner@localhost", name: "Owner", operator: true }, key);
      return made === null ? null : key;
    },
    async add({ email, name }) {
      const added = await make({ email: email.toLowerCase(), name, operator: false });
      if (added === null) {
        throw new AppError(
          "RESOURCE_CONFLICT",
          `Cannot add "${email}": there is an account with this e-mail address`,
        );
      }
      return added;
    },
    list: () => listAccounts(sql),
    async disable(id) {
      if (!await disableAccount(sql, id)) {
        throw new AppError(
          "RESOURCE_NOT_FOUND",
          `Cannot disable account "${id}": there is no such account besides the operator's`,
        );
      }
      await keys.forgetAll();
    },
  };
}
