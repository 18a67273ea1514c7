// Whether a text is one SQL expression, or one type, and nothing beside it, by PostgreSQL's own grammar: what passes stays
// inside the parentheses that it is put into.

import { loadModule, parseSync } from "libpg-query";

/** Longer ones are data, and a parser's time. */
const longest = 10_000;

let loading: Promise<void> | undefined;

async function parse(sql: string): Promise<unknown> {
  await (loading ??= loadModule());
  return parseSync(sql);
}

/**
 * An expression in parentheses, for any place in a statement. The line break ends a comment that the text may end with.
 */
export function inParentheses(expression: string): string {
  return `(${expression}${expression.includes("--") ? "\n" : ""})`;
}

/** What is wrong with `text` as one SQL expression; `null` when nothing is. It says nothing of names and types in it. */
export async function expressionFault(text: string): Promise<string | null> {
  const found = await parseExpression(text);
  return typeof found === "string" ? found : null;
}

/** The tree of one SQL expression, as PostgreSQL's grammar sees it, or what is wrong with it. */
export async function parseExpression(text: string): Promise<{ value: unknown } | string> {
  return await onlyValue(text, `select ${inParentheses(text)}`);
}

/** What is wrong with `text` as the name of one type, with its arguments; `null` when nothing is. */
export async function typeFault(text: string): Promise<string | null> {
  const found = await onlyValue(text, `select (null::${text}\n)`);
  if (typeof found === "string") return found;
  const cast = field(found.value, "TypeCast");
  const isNull = field(field(field(cast, "arg"), "A_Const"), "isnull") === true;
  if (!isNull || field(field(cast, "typeName"), "setof") === true) return "it is not the name of one type";
  return null;
}

/** The one value that `sql` selects, or why there is none. */
async function onlyValue(text: string, sql: string): Promise<{ value: unknown } | string> {
  if (text.trim() === "") return "it is empty";
  if (text.length > longest) return `it has ${text.length} characters, at most ${longest} are taken`;
  // The parser is C, where a text ends with NUL.
  if (text.includes("\0") || !text.isWellFormed()) return "it holds a character that SQL cannot";
  let parsed: unknown;
  try {
    parsed = await parse(sql);
  } catch (error) {
    return (error as Error).message;
  }
  const statements = field(parsed, "stmts") as unknown[];
  const select = field(field(statements[0], "stmt"), "SelectStmt");
  const targets = field(select, "targetList") as unknown[] | undefined;
  const usual = new Set(["targetList", "limitOption", "op"]);
  const plain = typeof select === "object" && select !== null &&
    Object.keys(select).every((key) => usual.has(key)) &&
    field(select, "op") === "SETOP_NONE";
  if (statements.length !== 1 || !plain || targets?.length !== 1) return "it is more than one expression";
  const target = field(targets[0], "ResTarget");
  if (field(target, "name") !== undefined || field(target, "indirection") !== undefined) {
    return "it is more than one expression";
  }
  return { value: field(target, "val") };
}

function field(value: unknown, name: string): unknown {
  return (value as Record<string, unknown> | undefined)?.[name];
}
