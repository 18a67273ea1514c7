// Where a function must not connect, and what it must not open.

import type { Attack } from "../attack.ts";

export const network: readonly Attack[] = [
  {
    kind: "reach",
    name: "connect to the machine and its network",
    guarantee: "a function connects to no loopback, private, link-local or metadata address",
    imports:
      `import net from "node:net"; import http from "node:http"; import dgram from "node:dgram"; import tls from "node:tls";`,
    program: `
    const hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"];
    for (const host of hosts) {
      await attempt("fetch " + host, async () => (await fetch("http://" + host + ":" + bait.port + "/")).text());
      const bare = host.replace(/[\\[\\]]/g, "");
      await attempt("Deno.connect " + host, () => Deno.connect({ hostname: bare, port: bait.port }).then(() => "connected"));
      await attempt("node:net " + host, () => new Promise((yes, no) => net.connect(bait.port, bare).on("connect", () => yes("connected")).on("error", no)));
    }
    await attempt("node:http", () => new Promise((yes, no) => http.get("http://127.0.0.1:" + bait.port, (r) => yes("answered " + r.statusCode)).on("error", no)));
    await attempt("connectTls", () => Deno.connectTls({ hostname: "127.0.0.1", port: bait.port }).then(() => "connected"));
    await attempt("node:tls", () => new Promise((yes, no) => tls.connect(bait.port, "127.0.0.1").on("connect", () => yes("connected")).on("error", no)));
    await attempt("WebSocket", () => new Promise((yes, no) => { const s = new WebSocket("ws://127.0.0.1:" + bait.port); s.onopen = () => yes("open"); s.onerror = (e) => no(new Error(e.message || "error")); }));
    await attempt("dgram", () => new Promise((yes, no) => { const s = dgram.createSocket("udp4"); s.on("error", no); s.send("x", bait.port, "127.0.0.1", (e) => e ? no(e) : yes("sent")); }));
    await attempt("EventSource", () => new Promise((yes, no) => { const s = new EventSource("http://127.0.0.1:" + bait.port); s.onopen = () => { s.close(); yes("open"); }; s.onerror = () => { s.close(); no(new Error("error")); }; }));
    await attempt("import http", () => load("http://127.0.0.1:" + bait.port + "/x.js"));`,
  },
  {
    kind: "reach",
    name: "be sent on to where it must not go",
    guarantee: "a redirect leads a function nowhere that it could not go by itself",
    needs: ["secondLoopback"],
    program: `
    const from = "http://127.0.0.2:" + bait.redirectPort;
    for (const status of [301, 302, 303, 307, 308]) {
      await attempt("redirect " + status, async () => (await fetch(from + "/" + status)).text());
      await attempt("POST with redirect " + status, async () => (await fetch(from + "/" + status, { method: "POST", body: "x" })).text());
    }
    await attempt("by hand", async () => {
      const { headers } = await fetch(from + "/302", { redirect: "manual" });
      return (await fetch(headers.get("location"))).text();
    });`,
  },
  {
    kind: "reach",
    name: "connect by the machine's own names and addresses",
    guarantee: "a function connects to no loopback, private, link-local or metadata address",
    imports: `import net from "node:net";`,
    program: `
    const addresses = bait.ownAddresses.filter((address) => !address.includes(":"));
    for (const host of [...bait.ownNames, ...bait.ownNames.map((name) => name.toUpperCase() + "."), ...addresses]) {
      await attempt("fetch " + host, async () => (await fetch("http://" + host + ":" + bait.port + "/")).text());
      await attempt("Deno.connect " + host, () => Deno.connect({ hostname: host, port: bait.port }).then(() => "connected"));
      await attempt("node:net " + host, () => new Promise((yes, no) => net.connect(bait.port, host).on("connect", () => yes("connected")).on("error", no)));
      await attempt("WebSocket " + host, () => new Promise((yes, no) => { const s = new WebSocket("ws://" + host + ":" + bait.port); s.onopen = () => yes("open"); s.onerror = (e) => no(new Error(e.message || "error")); }));
    }`,
  },
  {
    kind: "reach",
    name: "connect over IPv6",
    guarantee: "a function connects to no loopback, private or link-local address over IPv6",
    needs: ["ipv6"],
    filtered: true,
    imports: `import net from "node:net";`,
    program: `
    // All of them lead to this machine; what is written otherwise is the same address in another form.
    const addresses = ["::1", "0:0:0:0:0:0:0:1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", ...bait.ownAddresses.filter((address) => address.includes(":"))];
    for (const address of addresses) {
      await attempt("fetch " + address, async () => (await fetch("http://[" + address.split("%")[0] + "]:" + bait.port + "/")).text());
      await attempt("Deno.connect " + address, () => Deno.connect({ hostname: address, port: bait.port }).then(() => "connected"));
      await attempt("node:net " + address, () => new Promise((yes, no) => net.connect(bait.port, address).on("connect", () => yes("connected")).on("error", no)));
    }`,
  },
  {
    kind: "reach",
    name: "listen on the machine",
    guarantee: "a function opens no port",
    imports: `import net from "node:net"; import http from "node:http"; import dgram from "node:dgram";`,
    program: `
    await attempt("Deno.listen", () => Deno.listen({ port: 0 }));
    const listen = (server, ...where) => new Promise((yes, no) => server.on("error", no).listen(...where, () => { const { port } = server.address(); server.close(); yes("listening " + port); }));
    await attempt("node:net", () => listen(net.createServer(), 0));
    await attempt("node:net on ::", () => listen(net.createServer(), 0, "::"));
    await attempt("node:net on 127.0.0.2", () => listen(net.createServer(), 0, "127.0.0.3"));
    await attempt("node:http", () => listen(http.createServer(), 0));
    await attempt("dgram", () => new Promise((yes, no) => { const s = dgram.createSocket("udp4"); s.on("error", no); s.bind(0, () => { s.close(); yes("bound"); }); }));`,
  },
];
