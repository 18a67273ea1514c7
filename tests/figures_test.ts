// The bench's results, and what is shown of them.

import assert from "node:assert/strict";
import { join } from "node:path";
import { chart } from "./bench/chart.ts";
import { judged, readResults } from "./bench/results.ts";
import { fullTable } from "./bench/table.ts";
import { pages } from "./tools/pages.ts";

const root = join(import.meta.dirname ?? "", "..");
const results = await readResults();

/** The text of each element that has text, by the element's name. @throws where it is not well-formed. */
function parseXml(text: string): { name: string; text: string }[] {
  const open: { name: string; text: string }[] = [];
  const closed: { name: string; text: string }[] = [];
  const token =
    /<(\/?)([a-z][\w:-]*)((?:\s+[\w:-]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)\s*(\/?)>|([^<]+)/gy;
  let at = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    at = token.lastIndex;
    const [, ends, name = "", , isEmpty, words] = match;
    const top = open.at(-1);
    if (words !== undefined) {
      assert.doesNotMatch(words, /&(?!(amp|lt|gt|quot);)/, "a bare & stands in the text");
      if (top === undefined) assert.equal(words.trim(), "", "text stands outside the root");
      else top.text += words;
    } else if (ends === "/") {
      assert.equal(name, top?.name, "an element ends that is not open");
      closed.push(open.pop() as { name: string; text: string });
    } else if (isEmpty === "") open.push({ name, text: "" });
  }
  assert.equal(at, text.length, `this is no XML: ${text.slice(at, at + 80)}`);
  assert.deepEqual(open, [], "elements are left open");
  return closed;
}

Deno.test("the chart is well-formed, and shows every row of the results with its verdict", () => {
  const shown = parseXml(chart(results)).filter(({ name }) => name === "title").map(({ text }) => text);
  assert.equal(shown.length, results.rows.length);
  for (const [index, { work, ours, met }] of results.rows.entries()) {
    assert.ok(shown[index]?.startsWith(`${work}: ours ${ours}`), shown[index]);
    assert.ok(shown[index]?.endsWith(met ? ": met" : ": missed"), shown[index]);
  }
});

Deno.test("a name with signs of XML does not break the chart", () => {
  const [row] = results.rows;
  assert.ok(row);
  const odd = chart({ ...results, rows: [{ ...row, work: `<a href="x"> & 'more'` }] });
  assert.deepEqual(parseXml(odd).filter(({ name }) => name === "a"), []);
  assert.throws(() => parseXml(odd.replace("</svg>", "")));
});

Deno.test("the pages show the results that are stored, and every missed bar has its section", async () => {
  const shown = (await pages()).filter(({ path }) => path === "README.md" || path.startsWith("docs/bench/"));
  assert.equal(shown.length, 3);
  for (const { path, text } of shown) {
    assert.equal(await Deno.readTextFile(join(root, path)), text, `${path} is stale: deno task docs`);
  }
  const page = await Deno.readTextFile(join(root, "docs/bench/README.md"));
  for (const { work, met } of results.rows) {
    if (!met) assert.ok(page.includes(`\n### ${work}\n`), `docs/bench/README.md says nothing of "${work}"`);
  }
  for (
    const line of fullTable(results).split("\n").filter((line) => line.startsWith("| ") && line[2] !== "-")
  ) {
    for (const cell of line.split("|").map((text) => text.trim())) assert.ok(page.includes(cell), cell);
  }
});

Deno.test("each stored verdict follows from its value and its bar, and no call that failed is met", () => {
  for (const { met, ...row } of results.rows) {
    if (met) assert.equal(judged(row).met, true, row.work);
    else assert.ok(!judged(row).met || /[1-9]\d* failed/.test(row.ours), row.work);
  }
  const row = { work: "", ours: "", peer: "", value: 2, unit: "×", raw: null } as const;
  const atLeast = { ...row, bar: { kind: "at least", value: 2, words: "" } } as const;
  const atMost = { ...row, bar: { kind: "at most", value: 1.9, words: "" } } as const;
  assert.deepEqual([judged(atLeast).met, judged(atLeast, 1).met, judged(atMost).met], [true, false, false]);
});
