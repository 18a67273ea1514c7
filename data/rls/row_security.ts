// Row-level security of apps' tables. Nothing of a change stays when PostgreSQL refuses a part of it, or when policies would
// go round in a circle, so that no end user could use the table.

import type { App } from "../../apps/app_registry.ts";
import { AppError } from "../../core/errors.ts";
import { serviceIdentity } from "../../core/principal.ts";
import type { RunStatement } from "../../db/queries/catalogue.ts";
import {
  hasTrigger,
  listPolicies,
  policyNames,
  type PolicyRow,
  tableFaults,
  tablesWithRowSecurity,
  unseenTables,
} from "../../db/queries/policies.ts";
import {
  type Change,
  type ChangeParts,
  changeTable,
  columnOf,
  findPolicy,
  type Target,
  wrongType,
} from "./change.ts";
import { checkExpression } from "./expression.ts";
import { faultWarnings, refuseCircle } from "./failure.ts";
import type { IsolationDraft, PolicyDraft } from "./requests.ts";
import { policyOf, publicRead, serviceBypass, sqlOf, triggerName, userIsolation } from "./statements.ts";

export type RowSecurityParts = Omit<ChangeParts, "waits"> & Partial<Pick<ChangeParts, "waits">>;

export class RowSecurity {
  readonly #parts: ChangeParts;

  constructor(parts: RowSecurityParts) {
    this.#parts = { waits: { turnMs: 30_000, tableMs: 4_000 }, ...parts };
  }

  async list(app: App): Promise<{ policies: PolicyRow[]; tables_with_rls: string[] }> {
    const run: RunStatement = (statement) =>
      this.#parts.databases.query(app.databaseName, serviceIdentity, statement);
    const [policies, tables] = await Promise.all([listPolicies(run), tablesWithRowSecurity(run)]);
    return { policies, tables_with_rls: tables };
  }

  /** @throws {AppError} VALIDATION_TABLE_NOT_FOUND, RLS_INVALID_EXPRESSION when stored policies go round in a circle. */
  async enable(app: App, name: string): Promise<void> {
    const attempt = `Cannot enable row-level security on table "${name}"`;
    await this.#change(app, { attempt, table: name }, async (change) => {
      await change.execute(sqlOf.enable(name), ...replaced(serviceBypass(name)));
      refuseCircle(await tableFaults(change.run, name), { attempt, table: name });
    });
  }

  /**
   * Lets each end user see and change the rows that carry the user's id, and enters new rows in the user's name.
   * @throws {AppError} VALIDATION_TABLE_NOT_FOUND, VALIDATION_COLUMN_NOT_FOUND or VALIDATION_INVALID_TYPE.
   */
  async isolate(
    app: App,
    { table: name, userColumn, publicReadColumn }: IsolationDraft,
  ): Promise<{ policy: string; publicRead: string[] }> {
    const attempt = `Cannot isolate the users of table "${name}"`;
    return await this.#change(app, { attempt, table: name }, async (change) => {
      const column = columnOf(change, userColumn);
      const { type } = column;
      if (type !== "uuid" && type !== "text") throw wrongType(change, column, "uuid or text");
      const isolation = userIsolation(name, { name: userColumn, type });
      const openPolicies = publicReadColumn === null ? [] : publicRead(name, publicReadColumn);
      if (publicReadColumn !== null) {
        const shows = columnOf(change, publicReadColumn);
        if (shows.type !== "boolean") throw wrongType(change, shows, "boolean");
      }
      await change.execute(
        sqlOf.enable(name),
        ...[isolation, serviceBypass(name), ...openPolicies].flatMap(replaced),
        sqlOf.fillColumn(name, userColumn),
      );
      refuseCircle(await tableFaults(change.run, name), { attempt, table: name });
      await change.record(`rls_user_isolation_${name}`);
      return { policy: isolation.name, publicRead: openPolicies.map((policy) => policy.name) };
    });
  }

  /**
   * Makes a policy, in the place of one of that name, and enables row-level security on its table; what its writer should
   * know about it.
   * @throws {AppError} VALIDATION_TABLE_NOT_FOUND, VALIDATION_COLUMN_NOT_FOUND, RLS_UNSAFE_EXPRESSION,
   * RLS_INVALID_EXPRESSION or RLS_TYPE_MISMATCH.
   */
  async createPolicy(app: App, draft: PolicyDraft): Promise<string[]> {
    const attempt = `Cannot create policy "${draft.name}" on table "${draft.table}"`;
    await checkExpressions(draft, attempt);
    return await this.#change(app, { attempt, table: draft.table }, async (change) => {
      const { userColumn } = draft;
      if (userColumn !== null) columnOf(change, userColumn);
      await change.execute(
        sqlOf.enable(draft.table),
        ...replaced(policyOf(draft)),
        ...(userColumn === null ? [] : [sqlOf.fillColumn(draft.table, userColumn)]),
      );
      await change.record(`rls_policy_${draft.table}_${draft.name}`);
      return await warningsOf(change, draft);
    });
  }

  /** Puts a policy in the place of the one of that name. @throws {AppError} as createPolicy(), RESOURCE_NOT_FOUND. */
  async replacePolicy(app: App, draft: PolicyDraft): Promise<string[]> {
    const attempt = `Cannot replace policy "${shown(draft.name)}" of table "${draft.table}"`;
    await checkExpressions(draft, attempt);
    const target = { attempt, table: draft.table, missing: "RESOURCE_NOT_FOUND" } as const;
    return await this.#change(app, target, async (change) => {
      await findPolicy(change, draft.name);
      await change.execute(...replaced(policyOf(draft)));
      return await warningsOf(change, draft);
    });
  }

  /** Deletes a policy; how many the table has left. @throws {AppError} RESOURCE_NOT_FOUND. */
  async deletePolicy(app: App, table: string, name: string): Promise<number> {
    const attempt = `Cannot delete policy "${name}" of table "${shown(table)}"`;
    return await this.#change(app, { attempt, table, missing: "RESOURCE_NOT_FOUND" }, async (change) => {
      const names = await findPolicy(change, name);
      await change.execute(sqlOf.dropPolicy(table, name));
      return names.length - 1;
    });
  }

  /**
   * Deletes all policies of a table and its trigger, and disables row-level security, which closes the table; how many
   * policies there were.
   * @throws {AppError} RESOURCE_NOT_FOUND when it has none of them.
   */
  async deleteAll(app: App, table: string): Promise<number> {
    const attempt = `Cannot delete the policies of table "${shown(table)}"`;
    return await this.#change(app, { attempt, table, missing: "RESOURCE_NOT_FOUND" }, async (change) => {
      const { oid: tableOid } = change.table;
      const names = await policyNames(change.run, tableOid);
      if (names.length === 0 && !await hasTrigger(change.run, { tableOid, name: triggerName(table) })) {
        throw new AppError("RESOURCE_NOT_FOUND", `${attempt}: it has none`);
      }
      await change.execute(
        ...names.map((name) => sqlOf.dropPolicy(table, name)),
        sqlOf.dropTrigger(table),
        sqlOf.disable(table),
      );
      return names.length;
    });
  }

  #change<Value>(app: App, target: Target, work: (change: Change) => Promise<Value>): Promise<Value> {
    return changeTable(app, { ...this.#parts, ...target }, work);
  }
}

/** A name from a path, which may be longer than any that exists. */
const shown = (name: string) => name.slice(0, 100);

function replaced(policy: Parameters<typeof sqlOf.createPolicy>[0]): string[] {
  return [sqlOf.dropPolicy(policy.table, policy.name), sqlOf.createPolicy(policy)];
}

async function checkExpressions({ using, withCheck }: PolicyDraft, attempt: string): Promise<void> {
  if (using !== null) await checkExpression(using, { field: "using_expression", attempt });
  if (withCheck !== null) await checkExpression(withCheck, { field: "with_check_expression", attempt });
}

/** Looks at the table as its users will. @throws {AppError} RLS_INVALID_EXPRESSION when they could not use it at all. */
async function warningsOf({ run, table, attempt }: Change, { name, role }: PolicyDraft): Promise<string[]> {
  const faults = await tableFaults(run, table.name);
  refuseCircle(faults, { attempt, table: table.name });
  const unseen = role === null
    ? []
    : await unseenTables(run, { tableOid: table.oid, policy: name, role: `butterbase_${role}` });
  return [
    ...unseen.map((other) =>
      `Policy "${name}" reads table "${other}", which has row-level security and no SELECT policy for ${role}: it finds no row there.`
    ),
    ...faultWarnings(faults, { table: table.name, role }),
  ];
}
