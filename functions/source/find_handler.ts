// Finds what will answer requests: a default export, an export named `handler`, or a call of `Deno.serve`.

import { type Program } from "oxc-parser";
import { everyNode } from "./find_imports.ts";

export type HandlerForm = "default" | "handler" | "serve";

export type FoundHandler =
  | { kind: "found"; form: HandlerForm }
  | { kind: "unusable"; offset: number; what: string }
  | { kind: "none" };

type Statement = Program["body"][number];

/** Looks for the accepted forms; a default export comes first, then `handler`, then `Deno.serve`. */
export function findHandler(program: Program): FoundHandler {
  const exported = program.body.map(exportOf).filter((found) => found.kind !== "none");
  const found = exported.find((one) => one.kind === "found" && one.form === "default") ??
    exported.find((one) => one.kind === "found");
  if (found !== undefined) return found;
  if (callsDenoServe(program)) return { kind: "found", form: "serve" };
  return exported[0] ?? { kind: "none" };
}

function exportOf(statement: Statement): FoundHandler {
  if (statement.type === "ExportDefaultDeclaration") return defaultExport(statement);
  if (statement.type !== "ExportNamedDeclaration" || statement.exportKind === "type") return { kind: "none" };
  for (const specifier of statement.specifiers) {
    if (specifier.exportKind === "type") continue;
    const name = specifier.exported.type === "Literal" ? specifier.exported.value : specifier.exported.name;
    if (name === "default" || name === "handler") return { kind: "found", form: name };
  }
  const declaration = statement.declaration;
  if (declaration?.type === "FunctionDeclaration") {
    return declaration.id?.name === "handler" ? { kind: "found", form: "handler" } : { kind: "none" };
  }
  if (declaration?.type === "ClassDeclaration" && declaration.id?.name === "handler") {
    return { kind: "unusable", offset: declaration.start, what: "a class" };
  }
  if (declaration?.type !== "VariableDeclaration") return { kind: "none" };
  for (const { id, init } of declaration.declarations) {
    if (id.type === "Identifier" && id.name === "handler") return judged(init, "handler");
    if (id.type !== "Identifier" && bindsHandler(id)) return { kind: "found", form: "handler" };
  }
  return { kind: "none" };
}

/** Whether `export const { handler } = app` or the like gives the name `handler` to something. */
function bindsHandler(pattern: unknown): boolean {
  for (const node of everyNode(pattern)) {
    if (node.type === "Identifier" && node.name === "handler") return true;
  }
  return false;
}

function defaultExport(
  { declaration, start }: Extract<Statement, { type: "ExportDefaultDeclaration" }>,
): FoundHandler {
  switch (declaration.type) {
    case "FunctionDeclaration":
      return { kind: "found", form: "default" };
    case "ClassDeclaration":
      return { kind: "unusable", offset: start, what: "a class" };
    case "TSInterfaceDeclaration":
      return { kind: "none" };
    default:
      return judged(declaration, "default");
  }
}

interface Expression {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

/** Refuses what certainly cannot handle a request; what only running it would show is let through. */
function judged(value: unknown, form: HandlerForm): FoundHandler {
  const expression = unwrapped(value as Expression | null);
  if (expression === null) return { kind: "none" };
  const unusable = (what: string): FoundHandler => ({ kind: "unusable", offset: expression.start, what });
  switch (expression.type) {
    case "ClassExpression":
      return unusable("a class");
    case "Literal":
      return unusable("a constant");
    case "TemplateLiteral":
      return unusable("a text");
    case "ArrayExpression":
      return unusable("an array");
    case "JSXElement":
    case "JSXFragment":
      return unusable("a JSX element");
    case "ObjectExpression":
      return hasFetch(expression) ? { kind: "found", form } : unusable("an object without a `fetch` method");
    default:
      return { kind: "found", form };
  }
}

/** The expression inside parentheses, `as`, `satisfies`, `!` and `<T>`. */
function unwrapped(expression: Expression | null): Expression | null {
  let inner = expression;
  while (
    inner !== null &&
    /^(TS(As|Satisfies|NonNull)Expression|TSTypeAssertion|ParenthesizedExpression)$/.test(inner.type)
  ) {
    inner = inner.expression as Expression | null;
  }
  return inner;
}

function hasFetch(object: Expression): boolean {
  const properties = object.properties as {
    type: string;
    key?: { name?: string; value?: unknown };
    computed?: boolean;
  }[];
  return properties.some((property) =>
    property.type === "SpreadElement" || property.computed === true ||
    property.key?.name === "fetch" || property.key?.value === "fetch"
  );
}

function callsDenoServe(program: Program): boolean {
  for (const node of everyNode(program)) {
    if (node.type !== "CallExpression") continue;
    const callee = node.callee as Expression;
    if (callee.type !== "MemberExpression") continue;
    const { object, property } = callee as unknown as { object: Expression; property: Expression };
    const owner = object.type === "Identifier" ? object.name : undefined;
    if (owner === "Deno" && (property.name === "serve" || property.value === "serve")) return true;
  }
  return false;
}
