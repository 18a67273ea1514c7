// The peer that does nothing else: Deno.serve and one handler. `deno run bare_serve.ts <port>`

Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, (req) => {
  const name = new URL(req.url).searchParams.get("name") ?? "world";
  return Response.json({ message: `Hello, ${name}!` });
});
