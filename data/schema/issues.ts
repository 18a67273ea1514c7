// Collects everything that is wrong with a document, so that its writer sees all of it at once.

import { AppError } from "../../core/errors.ts";
import type { Issue } from "./document.ts";

type Path = readonly (string | number)[];

export class Issues {
  readonly #found: Issue[] = [];

  add(path: Path, message: string): void {
    this.#found.push({ code: "invalid", path, message });
  }

  /** An object with its own keys, or an empty one and an issue. */
  object(value: unknown, path: Path): ReadonlyMap<string, unknown> {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return new Map(Object.entries(value));
    }
    this.add(path, "must be an object");
    return new Map();
  }

  boolean(value: unknown, path: Path, otherwise: boolean): boolean {
    if (value === undefined) return otherwise;
    if (typeof value !== "boolean") this.add(path, "must be true or false");
    return value === true;
  }

  text(value: unknown, path: Path): string {
    if (typeof value === "string") return value;
    this.add(path, "must be a string");
    return "";
  }

  texts(value: unknown, path: Path): readonly string[] {
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    this.add(path, "must be an array of strings");
    return [];
  }

  /** Names, of which none comes twice. */
  names(value: unknown, path: Path): readonly string[] {
    const names = this.texts(value, path);
    if (new Set(names).size !== names.length) this.add(path, "names something twice");
    return names;
  }

  oneOf<Word extends string>(value: unknown, path: Path, words: readonly Word[], otherwise: Word): Word {
    if (value === undefined) return otherwise;
    const word = words.find((each) => each === value);
    if (word === undefined) this.add(path, `must be one of ${words.join(", ")}`);
    return word ?? otherwise;
  }

  get isEmpty(): boolean {
    return this.#found.length === 0;
  }

  refuseUnknown(fields: ReadonlyMap<string, unknown>, known: ReadonlySet<string>, path: Path): void {
    for (const key of fields.keys()) {
      if (!known.has(key)) this.add([...path, key], `is unknown: use ${[...known].join(", ")}`);
    }
  }

  /** @throws {AppError} VALIDATION_INVALID_SCHEMA when anything was found. */
  check(): void {
    if (this.#found.length > 0) throw invalidDocument(this.#found);
  }
}

const shown = 5;

export function invalidDocument(issues: readonly Issue[]): AppError {
  const lines = issues.slice(0, shown).map(({ path, message }) =>
    `${path.join(".") || "schema"}: ${message}`
  );
  if (issues.length > shown) lines.push(`and ${issues.length - shown} more`);
  return new AppError(
    "VALIDATION_INVALID_SCHEMA",
    `Cannot apply the schema: ${lines.join("; ").slice(0, 2_000)}`,
    {
      details: issues.slice(0, 100).map(({ code, path, message }) => ({ code, path, message })),
      remediation: "Correct the document at the paths in details; docs/schema.md has the language.",
    },
  );
}
