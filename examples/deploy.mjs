// Deploys one of the examples, with nothing but Node:
//   node examples/deploy.mjs <name> [further fields of the deploy, as JSON]
// reads examples/<name>.ts and takes API, KEY and APP from the environment, as README.md sets them.

import { readFile } from "node:fs/promises";

const [name, fields = "{}"] = process.argv.slice(2);
const { API, KEY, APP } = process.env;
const code = await readFile(new URL(`${name}.ts`, import.meta.url), "utf8");
const response = await fetch(`${API}/v1/${APP}/functions`, {
  method: "POST",
  headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
  body: JSON.stringify({ name, code, ...JSON.parse(fields) }),
});
const answer = await response.json();
if (!response.ok) {
  console.error(`${answer.error.message}\n${answer.error.remediation}`);
  process.exit(1);
}
console.log(answer.url);
