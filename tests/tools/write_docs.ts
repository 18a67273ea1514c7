// Writes the pages of docs/ that are made from the code; with `--check` it writes nothing and fails when one is stale.

import { join } from "node:path";
import { configPage } from "../../core/config.ts";
import { errorKinds } from "../../core/errors.ts";

const docs = join(import.meta.dirname ?? "", "..", "..", "docs");

const pages: Readonly<Record<string, () => string>> = {
  "config.md": configPage,
  "errors.md": errorsPage,
};

function errorsPage(): string {
  const rows = Object.entries(errorKinds).map(([code, { status, remediation, retryAfter }]) => {
    const wait = retryAfter === undefined ? "–" : `${retryAfter} s`;
    return `| \`${code}\` | ${status} | ${wait} | ${remediation.replaceAll("|", "\\|")} |`;
  });
  return [
    "# Errors",
    "",
    "<!-- Made from core/errors.ts by `deno task docs`; change it there. -->",
    "",
    "Every failure is answered in one form. `remediation` is never empty, and is more exact than the table below where more",
    "is known; `details` is there when a program can use it; `request_id` is also the response's `x-request-id`, and for a",
    "call of a function the id of its line in the log.",
    "",
    "```json",
    JSON.stringify(
      {
        error: {
          code: "RESOURCE_NOT_FOUND",
          message: 'There is no app "app_000000000000"',
          remediation: "Check the app id: GET /apps lists yours.",
          documentation_url: "https://docs.butterbase.ai/errors#resource-not-found",
          request_id: "3f0c7d0e-6f2b-4d0e-9a51-1f1f6f2b4d0e",
        },
      },
      null,
      2,
    ),
    "```",
    "",
    "A code has one status, but for the few places where a deploy or a request says otherwise. `Retry-After` is sent with",
    "failures that pass by themselves.",
    "",
    "| Code | Status | Retry-After | What to do |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

/** As `deno fmt` would have it, so that the check of the formatting and this one agree. */
async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext", "md", "-"],
    cwd: join(docs, ".."),
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

const stale: string[] = [];
for (const [name, make] of Object.entries(pages)) {
  const path = join(docs, name);
  const page = await formatted(make());
  if (await Deno.readTextFile(path).catch(() => "") === page) continue;
  stale.push(`docs/${name}`);
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(path, page);
}
if (Deno.args.includes("--check") && stale.length > 0) {
  console.error(`Not as the code has it: ${stale.join(", ")}. Run \`deno task docs\`.`);
  Deno.exit(1);
}
