// The catalogue of each app, read when first asked for and kept until the schema changes: forgotten on every node when the
// platform changes it, and looked after every few seconds of use, since functions change tables too.

import type { App } from "../../apps/app_registry.ts";
import type { Clock } from "../../core/clock.ts";
import { type AppId, parseAppId } from "../../core/ids.ts";
import type { Logger } from "../../core/log.ts";
import { Lru } from "../../core/lru.ts";
import { serviceIdentity } from "../../core/principal.ts";
import type { AppDatabases, Notices } from "../../db/mod.ts";
import { readRevision, readTables, type RunStatement } from "../../db/queries/catalogue.ts";
import { type Catalogue, tablesFrom } from "./catalogue.ts";

const topic = "schemas";
/** What is older than this is looked after behind the answer. */
const freshMs = 5_000;
/** Strangers who ask for tables that do not exist cause one look a second. */
const refreshMs = 1_000;

export type CatalogueApp = Pick<App, "id" | "databaseName">;

export interface CataloguesParts {
  databases: AppDatabases;
  notices: Notices;
  clock: Clock;
  log: Logger;
}

interface Entry {
  catalogue?: Catalogue;
  /** On the monotonic clock, when the look began that found it true. */
  checkedAt: number;
  looking?: Promise<Catalogue>;
}

export class Catalogues {
  readonly #parts: CataloguesParts;
  readonly #entries = new Lru<AppId, Entry>(2_000);

  constructor(parts: CataloguesParts) {
    this.#parts = parts;
    parts.notices.subscribe(topic, (payload) => {
      const id = parseAppId(payload);
      if (id !== undefined) this.forget(id);
    });
    parts.notices.onReconnect(() => this.#entries.clear());
  }

  /** The app's catalogue as it was a few seconds ago at most. */
  of(app: CatalogueApp): Promise<Catalogue> | Catalogue {
    const entry = this.#entry(app.id);
    if (entry.catalogue === undefined) return this.#look(app, entry);
    if (this.#parts.clock.monotonic() - entry.checkedAt > freshMs) {
      this.#look(app, entry).catch((error) =>
        this.#parts.log.warn("An app's schema could not be read again", { app: app.id, error })
      );
    }
    return entry.catalogue;
  }

  /**
   * The app's catalogue, looked at anew: for a name that is unknown, or after PostgreSQL said so (42P01, 42703). Within a
   * second of the last look that one holds, unless `now` is asked for.
   */
  async refresh(
    app: CatalogueApp,
    { when = "seldom" }: { when?: "seldom" | "now" } = {},
  ): Promise<Catalogue> {
    const entry = this.#entry(app.id);
    if (when === "now") {
      // A look under way may have begun before what the caller knows of.
      await entry.looking?.catch(() => {});
      return await this.#look(app, entry);
    }
    const recent = this.#parts.clock.monotonic() - entry.checkedAt < refreshMs;
    return entry.catalogue !== undefined && recent ? entry.catalogue : await this.#look(app, entry);
  }

  /** Forgets it on this node. */
  forget(id: AppId): void {
    this.#entries.delete(id);
  }

  /** Forgets it on every node: the platform has changed the app's schema. */
  async changed(id: AppId): Promise<void> {
    this.forget(id);
    await this.#parts.notices.publish(topic, id);
  }

  #entry(id: AppId): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry: Entry = { checkedAt: -Infinity };
    this.#entries.set(id, entry);
    return entry;
  }

  /** One look at a time for an entry; one that is forgotten meanwhile keeps what is found to itself. */
  #look(app: CatalogueApp, entry: Entry): Promise<Catalogue> {
    entry.looking ??= this.#read(app, entry).finally(() => delete entry.looking);
    return entry.looking;
  }

  async #read(app: CatalogueApp, entry: Entry): Promise<Catalogue> {
    const begunAt = this.#parts.clock.monotonic();
    const run: RunStatement = (statement) =>
      this.#parts.databases.query(app.databaseName, serviceIdentity, statement);
    // Before the tables: what changes between the two is found at the next look.
    const revision = await readRevision(run);
    if (entry.catalogue?.revision !== revision) {
      entry.catalogue = { revision, tables: tablesFrom(await readTables(run, "public")) };
    }
    entry.checkedAt = begunAt;
    return entry.catalogue;
  }
}
