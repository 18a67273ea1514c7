// The peer for a login: Deno.serve and the check of one password, and nothing else. `deno run bare_login.ts <port>`

import { hash, verify } from "@node-rs/argon2";

const stored = await hash("Correct-horse-1");

Deno.serve(
  { port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} },
  async (request) => {
    if (request.method !== "POST") return new Response("ready");
    const { password } = await request.json();
    return Response.json({ right: await verify(stored, password) });
  },
);
