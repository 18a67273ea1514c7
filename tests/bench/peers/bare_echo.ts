// The peer for bodies: Deno.serve that reads the body whole and sends it back. `deno run bare_echo.ts <port>`

Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, async (req) => {
  return new Response(await req.arrayBuffer());
});
