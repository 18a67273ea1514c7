// What README.md and the guides show is run: functions are deployed, commands are typed into a shell in the order in which
// they stand, and their output is compared. The words after a fence's language say what it is:
//   ```ts function=NAME [auth=…]   deployed under that name, open to everybody unless said otherwise
//   ```sh run                      run; a following ```text answer is what it prints, `…` standing for anything
//   ```sh set                      variables, for which the test has values of its own
//   ```sh start                    the two commands of README.md, which tests/first_start_test.ts and CI run

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ownerKey, startTestPlatform, type TestPlatform } from "./harness/platform.ts";
import { runShell } from "./tools/shell.ts";

const root = join(import.meta.dirname ?? "", "..");

interface Fence {
  language: string;
  /** The words after the language. */
  words: string[];
  text: string;
  line: number;
}

async function fencesOf(page: string): Promise<Fence[]> {
  const text = await Deno.readTextFile(join(root, page));
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(({ 1: info = "", 2: content = "", index }) => {
    const [language = "", ...words] = info.split(" ");
    return { language, words, text: content, line: text.slice(0, index).split("\n").length };
  });
}

function option(fence: Fence, name: string): string | undefined {
  return fence.words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The answer as a pattern: `…` stands for anything, white space at the ends for nothing. */
function patternOf(answer: string): RegExp {
  const parts = answer.trim().split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*?")}$`);
}

let p: TestPlatform;
Deno.test.beforeAll(async () => {
  p = await startTestPlatform();
});
Deno.test.afterAll(async () => {
  await p[Symbol.asyncDispose]();
});

for (
  const page of [
    "README.md",
    "docs/first_app.md",
    "docs/functions.md",
    "docs/schema.md",
    "docs/rls.md",
    "docs/rest.md",
    "docs/end_users.md",
    "docs/oauth.md",
  ]
) {
  Deno.test(`the functions of ${page} are deployed, and its commands print what it says`, async () => {
    const fences = await fencesOf(page);
    const app = await p.createApp();
    for (const fence of fences) {
      const name = option(fence, "function");
      if (name === undefined) continue;
      const auth = (option(fence, "auth") ?? "none") as "none";
      await p.deploy(app, name, fence.text, { auth });
    }
    const runs = fences.filter(({ language, words }) => language === "sh" && words[0] === "run");
    const printed = await runShell(runs.map(({ text }) => text), { API: p.origin, KEY: ownerKey, APP: app });
    for (const [at, run] of runs.entries()) {
      const next = fences[fences.indexOf(run) + 1];
      if (next?.words[0] !== "answer") continue;
      const output = printed[at]?.trim() ?? "";
      assert.ok(patternOf(next.text).test(output), `${page}, line ${next.line}: it printed\n${output}`);
    }
  });

  Deno.test(`every piece of code in ${page} says how it is run`, async () => {
    const fences = await fencesOf(page);
    for (const fence of fences) {
      const place = `${page}, line ${fence.line}`;
      const [word] = fence.words;
      if (/^(ts|js|typescript|javascript|tsx|jsx)$/.test(fence.language)) {
        assert.ok(option(fence, "function"), `${place}: a function without a name`);
      } else if (/^(sh|bash|shell|console)$/.test(fence.language)) {
        assert.ok(["run", "set", "start"].includes(word ?? ""), `${place}: commands that nobody runs`);
      }
      if (word === "set") assert.match(fence.text, /^export( [A-Z]+=\S+)+\n$/, place);
      if (word === "answer") assert.equal(fences[fences.indexOf(fence) - 1]?.words[0], "run", place);
    }
    const starts = fences.filter(({ words }) => words[0] === "start").map(({ text }) => text.trim());
    const commands = ["npx -y deno@2.9.6 task start", "npx -y deno@2.9.6 task test"];
    assert.deepEqual(starts, page === "README.md" ? commands : []);
  });
}

Deno.test("links between the pages lead somewhere", async () => {
  const pages = ["README.md", "CONTRIBUTING.md", ...await pagesBelow("docs")];
  for (const page of pages) {
    const text = await Deno.readTextFile(join(root, page));
    for (const [, target = "", fragment] of text.matchAll(/\]\(([^)#\s]*)(#[^)\s]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const path = target === "" ? page : join(dirname(page), target);
      await assert.doesNotReject(Deno.stat(join(root, path)), `${page} links to ${target}`);
      if (fragment === undefined) continue;
      const headings = [...(await Deno.readTextFile(join(root, path))).matchAll(/^#+ (.+)$/gm)];
      const anchors = headings.map(([, heading = ""]) =>
        `#${heading.toLowerCase().replaceAll(/[^a-z0-9 _-]/g, "").replaceAll(" ", "-")}`
      );
      assert.ok(anchors.includes(fragment), `${page} links to ${target}${fragment}`);
    }
  }
});

async function pagesBelow(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(join(root, folder)));
  const pages = await Promise.all(entries.map(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? pagesBelow(path) : name.endsWith(".md") ? [path] : [];
  }));
  return pages.flat();
}
