// Lists every place where the code asks for another module: static, dynamic, `require`, `import =` and JSX pragmas.

import { type Comment, type Program } from "oxc-parser";

/** A module asked for, and where. `specifier` is `null` when only running the code would tell it. */
export interface ImportSite {
  readonly form: "import" | "export" | "import()" | "require()" | "import =" | "jsx";
  readonly specifier: string | null;
  readonly offset: number;
  /** Names taken from the module, as it calls them. */
  readonly names: readonly string[];
  /** `type` of the import attributes, if any. */
  readonly attribute: string | null;
  /** Gone after compiling: `import type`, `export type`. */
  readonly typeOnly: boolean;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

/** Finds them in the order in which they stand in the code. */
export function findImports(program: Program, comments: readonly Comment[]): ImportSite[] {
  const sites = comments.flatMap(jsxPragma);
  for (const node of everyNode(program)) {
    const site = importAt(node);
    if (site !== undefined) sites.push(site);
  }
  return sites.sort((a, b) => a.offset - b.offset);
}

/** Visits all nodes without recursion, so that depth costs memory and not stack. */
export function* everyNode(root: unknown): Generator<Node> {
  const waiting: unknown[] = [root];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== "object" || value === null) continue;
    if (isNode(value)) yield value;
    for (const child of Object.values(value)) if (typeof child === "object") waiting.push(child);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function importAt(node: Node): ImportSite | undefined {
  switch (node.type) {
    case "ImportDeclaration":
      return staticSite(node, { form: "import", typeOnly: node.importKind === "type" });
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      if (!isNode(node.source)) return undefined;
      return staticSite(node, { form: "export", typeOnly: node.exportKind === "type" });
    case "ImportExpression":
      return callSite(node.source, { form: "import()", attribute: node.options ? "options" : null });
    case "CallExpression": {
      const callee = node.callee;
      if (!isNode(callee) || callee.type !== "Identifier" || callee.name !== "require") return undefined;
      const first = Array.isArray(node.arguments) ? node.arguments[0] : undefined;
      return callSite(first ?? node, { form: "require()", attribute: null });
    }
    case "TSExternalModuleReference":
      return callSite(node.expression, { form: "import =", attribute: null });
    default:
      return undefined;
  }
}

function staticSite(
  node: Node,
  { form, typeOnly }: { form: "import" | "export"; typeOnly: boolean },
): ImportSite | undefined {
  const source = node.source;
  if (!isNode(source)) return undefined;
  const specifiers = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : [];
  const attributes = Array.isArray(node.attributes) ? node.attributes.filter(isNode) : [];
  return {
    form,
    specifier: String(source.value),
    offset: source.start,
    names: specifiers.flatMap(importedName),
    attribute: attributes.map(({ value }) => isNode(value) ? String(value.value) : "?")[0] ?? null,
    typeOnly,
  };
}

function importedName(specifier: Node): string[] {
  if (specifier.type === "ImportDefaultSpecifier") return ["default"];
  const name = specifier.type === "ExportSpecifier" ? specifier.local : specifier.imported;
  return isNode(name) ? [String(name.name ?? name.value)] : [];
}

function callSite(
  argument: unknown,
  { form, attribute }: { form: "import()" | "require()" | "import ="; attribute: string | null },
): ImportSite | undefined {
  if (!isNode(argument)) return undefined;
  const specifier = literalText(argument);
  return { form, specifier, offset: argument.start, names: [], attribute, typeOnly: false };
}

function literalText(node: Node): string | null {
  if (node.type === "Literal" && typeof node.value === "string") return node.value;
  if (node.type !== "TemplateLiteral" || !Array.isArray(node.quasis) || node.quasis.length !== 1) return null;
  const only: unknown = node.quasis[0]?.value?.cooked;
  return typeof only === "string" ? only : null;
}

function jsxPragma({ value, start }: Comment): ImportSite[] {
  const pragma = /@jsxImportSource(?:Types)?\s+(\S+)/.exec(value);
  if (pragma?.[1] === undefined) return [];
  const offset = start + 2 + pragma.index;
  return [{ form: "jsx", specifier: pragma[1], offset, names: [], attribute: null, typeOnly: false }];
}
