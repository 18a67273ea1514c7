// The lists by which an app's owner narrows what its functions may reach.

import { parseEgressRule } from "../core/egress/rule.ts";
import { AppError } from "../core/errors.ts";
import type { AppChange } from "../db/queries/apps.ts";

/** They become part of a command line. */
const maxEntries = 100;

/**
 * Reads the body of PATCH config/egress; what it leaves out stays as it is.
 * @throws {AppError} VALIDATION_INVALID_SCHEMA, naming each entry that is wrong.
 */
export function parseEgressChange(body: unknown): Pick<AppChange, "egress_allow" | "egress_deny"> {
  const given = (typeof body === "object" ? body ?? {} : {}) as Record<string, unknown>;
  const mistakes: { path: (string | number)[]; message: string }[] = [];
  const unknown = Object.keys(given).filter((name) => name !== "allow" && name !== "deny");
  for (const name of unknown) {
    mistakes.push({ path: [name], message: `${name} is not a field: use allow and deny` });
  }
  if (given["allow"] === undefined && given["deny"] === undefined) {
    mistakes.push({ path: ["allow"], message: "allow or deny must be given" });
  }
  const change: Pick<AppChange, "egress_allow" | "egress_deny"> = {};
  if (given["allow"] === null) change.egress_allow = null;
  else if (given["allow"] !== undefined) change.egress_allow = listOf("allow", given["allow"], mistakes);
  if (given["deny"] !== undefined) change.egress_deny = listOf("deny", given["deny"], mistakes);
  const [first] = mistakes;
  if (first === undefined) return change;
  throw new AppError("VALIDATION_INVALID_SCHEMA", `Cannot set the app's egress: ${first.message}`, {
    details: mistakes,
  });
}

function listOf(
  field: "allow" | "deny",
  list: unknown,
  mistakes: { path: (string | number)[]; message: string }[],
): string[] {
  if (!Array.isArray(list) || list.length > maxEntries) {
    const otherwise = field === "allow" ? ", or null to allow all that the operator permits" : "";
    mistakes.push({
      path: [field],
      message: `${field} must be an array of at most ${maxEntries} hosts${otherwise}`,
    });
    return [];
  }
  const entries = list.flatMap((entry, at) => {
    try {
      if (typeof entry !== "string") throw new Error("a string");
      return [parseEgressRule(entry.trim()).text];
    } catch (error) {
      const quoted = JSON.stringify(entry).slice(0, 200);
      mistakes.push({
        path: [field, at],
        message: `${field}[${at}], ${quoted}, must be ${(error as Error).message}`,
      });
      return [];
    }
  });
  return [...new Set(entries)];
}
