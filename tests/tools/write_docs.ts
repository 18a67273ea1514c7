// Writes the pages that are made from the code; with `--check` it writes nothing and fails when one is stale.

import { writePages } from "./pages.ts";

const check = Deno.args.includes("--check");
const stale = await writePages({ check });
if (check && stale.length > 0) {
  console.error(`Not as the code has it: ${stale.join(", ")}. Run \`deno task docs\`.`);
  Deno.exit(1);
}
