// The SQL of each change of row-level security. Names are quoted; expressions were found to be one expression each.

import { inParentheses } from "../sql/grammar.ts";
import { quoteName, quoteText } from "../sql/quote.ts";
import { fittingName } from "../schema/names.ts";
import type { PolicyDraft } from "./requests.ts";

type Policy = Pick<PolicyDraft, "table" | "name" | "command" | "using" | "withCheck" | "kind"> & {
  readonly to: "butterbase_user" | "butterbase_anon" | "butterbase_service" | "public";
};

const tableName = (table: string) => `public.${quoteName(table)}`;

/** The trigger's name, of which a table has one. */
export const triggerName = (table: string) => fittingName(`${table}_set_user_id_trigger`);

export const sqlOf = {
  enable: (table: string) =>
    `alter table ${tableName(table)} enable row level security, force row level security`,
  disable: (table: string) =>
    `alter table ${tableName(table)} disable row level security, no force row level security`,
  dropPolicy: (table: string, policy: string) =>
    `drop policy if exists ${quoteName(policy)} on ${tableName(table)}`,
  createPolicy: ({ table, name, command, using, withCheck, kind, to }: Policy) =>
    `create policy ${quoteName(name)} on ${
      tableName(table)
    } as ${kind} for ${command.toLowerCase()} to ${to}` +
    (using === null ? "" : ` using ${inParentheses(using)}`) +
    (withCheck === null ? "" : ` with check ${inParentheses(withCheck)}`),
  fillColumn: (table: string, column: string) =>
    `create or replace trigger ${quoteName(triggerName(table))} before insert on ${tableName(table)} ` +
    `for each row execute function butterbase.set_user_id(${quoteText(column)})`,
  dropTrigger: (table: string) =>
    `drop trigger if exists ${quoteName(triggerName(table))} on ${tableName(table)}`,
} as const;

export function policyOf(draft: PolicyDraft): Policy {
  return { ...draft, to: draft.role === null ? "public" : `butterbase_${draft.role}` };
}

export function serviceBypass(table: string): Policy {
  return {
    table,
    name: fittingName(`${table}_service_bypass`),
    command: "ALL",
    using: "true",
    withCheck: "true",
    kind: "permissive",
    to: "butterbase_service",
  };
}

/** A user's own rows. The subquery has the user's id asked once for a statement, not once for a row. */
export function userIsolation(
  table: string,
  { name, type }: { name: string; type: "text" | "uuid" },
): Policy {
  const own = `${quoteName(name)} = (select public.current_user_id())${type === "uuid" ? "::uuid" : ""}`;
  return {
    table,
    name: fittingName(`${table}_user_isolation`),
    command: "ALL",
    using: own,
    withCheck: own,
    kind: "permissive",
    to: "butterbase_user",
  };
}

/** Everybody's sight of the rows whose column is true. */
export function publicRead(table: string, column: string): Policy[] {
  return (["user", "anon"] as const).map((role) => ({
    table,
    name: fittingName(`${table}_public_read_${role}`),
    command: "SELECT",
    using: quoteName(column),
    withCheck: null,
    kind: "permissive",
    to: `butterbase_${role}`,
  }));
}
