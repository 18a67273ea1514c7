// The pages, and parts of pages, that are made from the code and from the bench's results.

import { join } from "node:path";
import { configPage } from "../../core/config.ts";
import { chart } from "../bench/chart.ts";
import { readResults } from "../bench/results.ts";
import { fullTable, shortTable } from "../bench/table.ts";
import { errorsPage } from "./errors_page.ts";

const root = join(import.meta.dirname ?? "", "..", "..");

interface Page {
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
}

/** What each page should hold. */
export async function pages(): Promise<Page[]> {
  const results = await readResults();
  return [
    { path: "docs/config.md", text: await formatted(configPage()) },
    { path: "docs/errors.md", text: await formatted(errorsPage()) },
    { path: "docs/bench/bench.svg", text: chart(results) },
    await withFigures("docs/bench/README.md", fullTable(results)),
    await withFigures("README.md", shortTable(results)),
  ];
}

/** Writes the pages that are stale, or with `check` only tells which are. */
export async function writePages({ check = false } = {}): Promise<string[]> {
  const stale: string[] = [];
  for (const { path, text } of await pages()) {
    if (await Deno.readTextFile(join(root, path)).catch(() => "") === text) continue;
    stale.push(path);
    if (!check) await Deno.writeTextFile(join(root, path), text);
  }
  return stale;
}

const begin = "<!-- Figures, from docs/bench/results.json by `deno task docs`. -->";
const end = "<!-- End of the figures. -->";

/** The page as it is, with the figures between their marks; all else in it is written by hand. */
async function withFigures(path: string, figures: string): Promise<Page> {
  const text = await Deno.readTextFile(join(root, path));
  const [before, rest, ...more] = text.split(begin);
  const [, after, ...others] = (rest ?? "").split(end);
  if (after === undefined || more.length + others.length > 0) {
    throw new Error(
      `${path} needs the lines "${begin}" and "${end}" once each: the figures stand between them`,
    );
  }
  return { path, text: await formatted(`${before}${begin}\n\n${figures}\n\n${end}${after}`) };
}

/** As `deno fmt` would have it, so that the check of the formatting and this one agree. */
async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext", "md", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const [{ success, stdout }] = await Promise.all([
    child.output(),
    new Blob([text]).stream().pipeTo(child.stdin),
  ]);
  if (!success) throw new Error("A page could not be formatted");
  return new TextDecoder().decode(stdout);
}
