// What a developer sends to change row-level security, read once into values that can only be good.

import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { longestName } from "../schema/names.ts";

export const policyCommands = ["SELECT", "INSERT", "UPDATE", "DELETE", "ALL"] as const;

export interface PolicyDraft {
  readonly table: string;
  readonly name: string;
  readonly command: (typeof policyCommands)[number];
  /** `null`: for every role. */
  readonly role: "anon" | "user" | null;
  readonly using: string | null;
  readonly withCheck: string | null;
  readonly kind: "permissive" | "restrictive";
  /** Column that the trigger fills; `null` leaves the table's trigger as it is. */
  readonly userColumn: string | null;
}

export interface IsolationDraft {
  readonly table: string;
  readonly userColumn: string;
  readonly publicReadColumn: string | null;
}

/** Tables that one request may secure, as many as one may apply. */
const mostTables = 50;

const name = z.string("must be a string").min(1, "must not be empty")
  .max(longestName, `must have at most ${longestName} characters`);
const expression = z.string("must be a string").refine(
  (text) => text.trim() !== "",
  "must not be empty: leave it out",
).nullish();

const policyName = z.string("must be a string").regex(
  /^[a-z_][a-z0-9_]*$/,
  "must consist of a-z, 0-9 and _, and not begin with a digit",
).max(longestName, `must have at most ${longestName} characters`);

const policyFields = z.object({
  table_name: name,
  command: z.enum(policyCommands, `must be one of ${policyCommands.join(", ")}`).default("ALL"),
  role: z.enum(["anon", "user"], "must be anon or user, or left out for everyone").nullish(),
  using_expression: expression,
  with_check_expression: expression,
  restrictive: z.boolean("must be true or false").default(false),
}, "must be an object");

const newPolicy = policyFields.extend({ policy_name: policyName, user_column: name.nullish() });
const isolation = z.object({
  table_name: name,
  user_column: name,
  public_read_column: name.nullish(),
}, "must be an object");
const securing = z.object({
  tables: z.array(isolation, "must be a list").max(mostTables, `must have at most ${mostTables} entries`)
    .default([]),
}, "must be an object");
const enabling = z.object({ table_name: name }, "must be an object");

/** @throws {AppError} VALIDATION_INVALID_SCHEMA or VALIDATION_RESERVED_TABLE. */
export function parseEnabling(body: unknown): string {
  return checkTable(parse(enabling, body, "Cannot enable row-level security").table_name);
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA or VALIDATION_RESERVED_TABLE. */
export function parseIsolation(body: unknown): IsolationDraft {
  const draft = isolationFrom(parse(isolation, body, "Cannot isolate the users of a table"));
  checkTable(draft.table);
  return draft;
}

/**
 * Reads which tables to secure. Their names are not checked: one that is wrong fails alone.
 * @throws {AppError} VALIDATION_INVALID_SCHEMA.
 */
export function parseSecuring(body: unknown): IsolationDraft[] {
  return parse(securing, body, "Cannot secure the app").tables.map(isolationFrom);
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA or VALIDATION_RESERVED_TABLE. */
export function parsePolicy(body: unknown): PolicyDraft {
  const given = parse(newPolicy, body, "Cannot create the policy");
  return {
    ...draftFrom(given, "Cannot create the policy"),
    name: given.policy_name,
    userColumn: given.user_column ?? null,
  };
}

/** Reads what is to stand in a policy's place. @throws {AppError} VALIDATION_INVALID_SCHEMA or VALIDATION_RESERVED_TABLE. */
export function parseReplacement(policy: string, body: unknown): PolicyDraft {
  const attempt = "Cannot replace the policy";
  return { ...draftFrom(parse(policyFields, body, attempt), attempt), name: policy, userColumn: null };
}

/** @throws {AppError} VALIDATION_RESERVED_TABLE. */
export function checkTable(table: string): string {
  if (!table.startsWith("_")) return table;
  throw new AppError(
    "VALIDATION_RESERVED_TABLE",
    `Cannot change row-level security of "${table.slice(0, 100)}": tables that begin with "_" have none`,
  );
}

/** @throws {AppError} VALIDATION_INVALID_SCHEMA. */
export function checkPolicyName(given: string): string {
  return parse(z.object({ policy_name: policyName }), { policy_name: given }, "Cannot delete the policy")
    .policy_name;
}

function isolationFrom(
  { table_name, user_column, public_read_column }: z.infer<typeof isolation>,
): IsolationDraft {
  return { table: table_name, userColumn: user_column, publicReadColumn: public_read_column ?? null };
}

function draftFrom(
  given: z.infer<typeof policyFields>,
  attempt: string,
): Omit<PolicyDraft, "name" | "userColumn"> {
  const using = given.using_expression ?? null;
  const withCheck = given.with_check_expression ?? null;
  if (using === null && withCheck === null) {
    throw invalid(attempt, [{
      code: "invalid",
      path: ["using_expression"],
      message: "using_expression or with_check_expression must be given",
    }]);
  }
  return {
    table: checkTable(given.table_name),
    command: given.command,
    role: given.role ?? null,
    using,
    withCheck,
    kind: given.restrictive ? "restrictive" : "permissive",
  };
}

interface Issue {
  code: string;
  path: PropertyKey[];
  message: string;
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown, attempt: string): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw invalid(attempt, parsed.error.issues.map(({ code, path, message }) => ({ code, path, message })));
}

function invalid(attempt: string, issues: Issue[]): AppError {
  const lines = issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
  return new AppError("VALIDATION_INVALID_SCHEMA", `${attempt}: ${lines.join("; ")}`, { details: issues });
}
