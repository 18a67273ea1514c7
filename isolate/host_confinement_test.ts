// A process of its own confines itself as a host does, but has every permission of Deno's: what is refused then, the kernel
// refuses.

import assert from "node:assert/strict";
import type { Confinement } from "./host/confinement.ts";
import { hostConfinement } from "./host_confinement.ts";

/** Each with what it does before; all of it is the process's right, until it is confined. */
const attempts = `
const unix = Deno.listen({ transport: "unix", path: folder + "/s" });
await Deno.writeTextFile(folder + "/kept", "kept");
const attempts = {
  "start a program": () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).output(),
  "write a file": () => Deno.writeTextFile(folder + "/new", "x"),
  "write to a file that is there": () => Deno.writeTextFile(folder + "/kept", "x", { create: false }),
  "remove a file": () => Deno.remove(folder + "/kept"),
  "make a folder": () => Deno.mkdir(folder + "/folder" + n),
  "link to a file": () => Deno.symlink("/etc/passwd", folder + "/link" + n),
  "signal the parent": () => Deno.kill(Deno.ppid, 0),
  "connect to a unix socket": () => Deno.connect({ transport: "unix", path: folder + "/s" }),
  "open a port": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  "open IPv6": () => Deno.listenDatagram({ hostname: "::1", port: 0, transport: "udp" }),
};
const calls = { clone: [56, 220], execve: [59, 221], ptrace: [101, 117], bpf: [321, 280], io_uring_setup: [425, 425], keyctl: [250, 219],
  perf_event_open: [298, 241], process_vm_readv: [310, 270], pidfd_open: [434, 434], unshare: [272, 97], mount: [165, 40],
  setuid: [105, 146], clone3: [435, 435], userfaultfd: [323, 282], personality: [135, 92], capset: [126, 91] };
`;

const confinement = hostConfinement({ memoryLimitMb: 128, ipv6: false });

const probe = (confinement: Confinement | null, { folder, port }: { folder: string; port: number }) => `
import { confine } from "${new URL("./host/confinement.ts", import.meta.url)}";
import { openLibc } from "${new URL("./host/libc.ts", import.meta.url)}";
const confinement = ${JSON.stringify(confinement)};
const folder = ${JSON.stringify(folder)};
let n = 0;
${attempts}
async function run() {
  n++;
  const found = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try { await attempt(); found[name] = "done"; } catch (error) { found[name] = error.message; }
  }
  await Deno.writeTextFile(folder + "/kept", "kept").catch(() => {});
  return found;
}
const here = Object.fromEntries(Object.entries(calls).map(([name, [x86_64, aarch64]]) => [name, Deno.build.arch === "x86_64" ? x86_64 : aarch64]));
const libc = openLibc(confinement.libc, here);
const before = await run();
const open = (await Deno.open(folder + "/kept", { write: true }));
const missing = confine(confinement);
const after = await run();
after["write to a file that was open"] = await open.write(new Uint8Array(1)).then(() => "done", (error) => error.message);
for (const name of Object.keys(calls)) {
  if (name === "clone") continue;
  try { libc.call(name, 0, 0, 0, 0); after[name] = "done"; }
  catch (error) { after[name] = error.message; }
}
// By clone, without CLONE_THREAD: a child that lived would be seen.
try { libc.call("clone", 17, 0, 0, 0, 0) === 0 && Deno.exit(); after.fork = "done"; }
catch (error) { after.fork = error.message; }
const answer = await (await fetch("http://localhost:${port}")).text();
const udp = Deno.listenDatagram({ hostname: "0.0.0.0", port: 0, transport: "udp" });
const sent = await udp.send(new Uint8Array(3), { hostname: "127.0.0.1", port: ${port}, transport: "udp" });
const read = Deno.readTextFileSync(folder + "/kept");
const threads = [...Deno.readDirSync("/proc/self/task")].map(({ name }) => Deno.readTextFileSync("/proc/self/task/" + name + "/status"));
console.log(JSON.stringify({ missing, before, after, answer, sent, read, threads, limits: Deno.readTextFileSync("/proc/self/limits") }));
Deno.exit();
`;

Deno.test({
  name: "confine() leaves a process that can compute, read and connect outwards over IPv4, and nothing else",
  ignore: confinement === null,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "bb-confine-" });
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response("reached"),
    );
    const user = confinement?.user;
    try {
      // As the host's user, too, it may do in the folder what it likes.
      await Deno.chmod(folder, 0o777);
      const path = `${folder}/probe.ts`;
      await Deno.writeTextFile(path, probe(confinement, { folder, port: server.addr.port }));
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "--no-config", "--no-check", "--unstable-net", path],
      }).output();
      const said = new TextDecoder().decode(stdout);
      assert.notEqual(said, "", new TextDecoder().decode(stderr));
      const found = JSON.parse(said);
      assert.deepEqual(found.missing, []);
      for (const [name, result] of Object.entries(found.before)) {
        // A machine may have no IPv6.
        if (name !== "open IPv6") assert.equal(result, "done", name);
      }
      for (const [name, result] of Object.entries(found.after)) {
        assert.match(
          String(result),
          /not (permitted|supported|implemented)|denied|answered error (1|38)$|Bad file/i,
          name,
        );
      }
      assert.equal(found.read, "kept");
      for (const status of found.threads) {
        assert.match(status, /^NoNewPrivs:\s+1$/m);
        assert.match(status, /^Seccomp:\s+2$/m);
        assert.match(status, /^CapEff:\s+0+$/m);
        if (user != null) assert.match(status, new RegExp(`^Uid:(\\s+${user}){4}$`, "m"));
      }
      assert.match(found.limits, /Max core file size +0 +0 /);
      assert.match(found.limits, /Max open files +1024 +1024 /);
      assert.doesNotMatch(found.limits, /Max data size +unlimited/);
      assert.equal(found.answer, "reached");
      assert.equal(found.sent, 3);
    } finally {
      await server.shutdown();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
