// workerd from npm, with the same handler. Only the bench runs it: no part of the product depends on it.

export const workerdVersion = "1.20261117.1";

const handler = `export default {
  async fetch(req) {
    const name = new URL(req.url).searchParams.get("name") ?? "world";
    return Response.json({ message: "Hello, " + name + "!" });
  },
};`;

/** Writes workerd's configuration into `dir`; answers its program and arguments. */
export async function workerdCommand(
  dir: string,
  port: number,
): Promise<{ program: string; args: string[] }> {
  await Deno.writeTextFile(`${dir}/hello.js`, handler);
  await Deno.writeTextFile(
    `${dir}/config.capnp`,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .hello) ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ]
);
const hello :Workerd.Worker = (
  modules = [ (name = "main", esModule = embed "hello.js") ],
  compatibilityDate = "2025-01-01",
);
`,
  );
  return { program: await workerdProgram(dir), args: ["serve", `${dir}/config.capnp`] };
}

/** npm's own client brings the program: its package has no module to import. */
async function workerdProgram(dir: string): Promise<string> {
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--prefix", dir, "--no-audit", "--no-fund", `workerd@${workerdVersion}`],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`workerd could not be installed: ${new TextDecoder().decode(stderr)}`);
  return `${dir}/node_modules/.bin/workerd`;
}
