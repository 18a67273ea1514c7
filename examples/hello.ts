// Says hello to whoever calls.
//
//   node examples/deploy.mjs hello '{"trigger": {"type": "http", "config": {"auth": "none"}}}'
//   curl "$API/v1/$APP/fn/hello?name=Ada"

export default function handler(req: Request): Response {
  const name = new URL(req.url).searchParams.get("name") ?? "world";
  return Response.json({ message: `Hello, ${name}!` });
}
