// Runs the shell commands that documents and examples show, as a reader would type them one after the other.

import { join } from "node:path";

const root = join(import.meta.dirname ?? "", "..", "..");
/** Ends the output of each command: nothing that a command prints holds it. */
const separator = "\x1e";

/**
 * Runs the commands in one bash, in the repository's folder; what each wrote to standard output.
 * @throws with everything that was printed when one fails.
 */
export async function runShell(
  commands: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<string[]> {
  const script = commands.map((command) => `${command}\nprintf '\\036'\n`).join("");
  const { PATH = "", HOME = "" } = Deno.env.toObject();
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    cwd: root,
    clearEnv: true,
    env: { PATH, HOME, ...variables },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const printed = decoder.decode(stdout).split(separator).slice(0, -1);
  if (!success) {
    const at = commands[printed.length] ?? "";
    throw new Error(`This failed:\n${at}\n${decoder.decode(stdout)}\n${decoder.decode(stderr)}`);
  }
  return printed;
}
