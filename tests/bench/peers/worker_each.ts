// The peer that starts a Web Worker for each request, as other self-hosted platforms do. `deno run worker_each.ts <port>`

const source = `
self.onmessage = async ({ data }) => {
  const { default: handler } = await import(data.module);
  const response = await handler(new Request(data.url));
  self.postMessage({ status: response.status, body: await response.text() });
};`;
const worker = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
const module = URL.createObjectURL(
  new Blob(["export default () => Response.json({ message: 'Hello, world!' });"], {
    type: "text/javascript",
  }),
);

Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, async (req) => {
  const isolate = new Worker(worker, { type: "module" });
  const { promise, resolve } = Promise.withResolvers<{ status: number; body: string }>();
  isolate.onmessage = ({ data }) => resolve(data);
  isolate.postMessage({ module, url: req.url });
  const { status, body } = await promise;
  isolate.terminate();
  return new Response(body, { status, headers: { "content-type": "application/json" } });
});
