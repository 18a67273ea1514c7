// Two nodes making and deleting one app at the same time, with real control data and databases that wait to be told.

import assert from "node:assert/strict";
import { Secret } from "../core/config.ts";
import { silentLogger } from "../core/log.ts";
import { type AccountId, newUuid } from "../core/ids.ts";
import { createSealer } from "../core/sealing.ts";
import type { AppDatabases } from "../db/mod.ts";
import { insertAccount } from "../db/queries/accounts.ts";
import { openTestDatabase } from "../db/testing.ts";
import { createAppRegistry } from "./app_registry.ts";
import { Apps } from "./apps.ts";

Deno.test("an app that another node deletes while its database is being made leaves none behind", async () => {
  await using test = await openTestDatabase();
  const { control: sql, notices } = test.database;
  const sealer = await createSealer(new Secret("11".repeat(32)));
  const owner = newUuid<AccountId>();
  await insertAccount(sql, { id: owner, email: "o@example.com", name: "O", operator: false });
  const present = new Set<string>();
  const making = Promise.withResolvers<void>();
  const mayFinish = Promise.withResolvers<void>();
  const databases = {
    async create(name: string) {
      making.resolve();
      await mayFinish.promise;
      present.add(name);
    },
    drop: (name: string) => Promise.resolve(void present.delete(name)),
  } as unknown as AppDatabases;
  const node = async () => {
    const registry = await createAppRegistry({ sql, notices, sealer });
    return {
      registry,
      apps: new Apps({ sql, databases, registry, sealer, log: silentLogger, region: "local" }),
    };
  };
  const [maker, deleter] = [await node(), await node()];

  const { app } = await maker.apps.create(owner, { name: "shop", subdomain: null, region: null });
  await making.promise;
  const found = await deleter.registry.find(app.id);
  assert.ok(found !== null);
  await deleter.apps.delete(found);
  mayFinish.resolve();
  await maker.apps.settled();

  assert.deepEqual([...present], []);
  const [row] = await sql`select provisioning_status from apps where id = ${app.id}`;
  assert.equal(row?.["provisioning_status"], "deleted");
  assert.equal(await maker.registry.find(app.id), null);
});
