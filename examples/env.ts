// Answers with a setting that is not in its code. Settings are sealed at rest and change without a deploy.
//
//   node examples/deploy.mjs env '{"envVars": {"GREETING": "Good morning"}}'
//   curl "$API/v1/$APP/fn/env" -H "authorization: Bearer $KEY"
//   curl -X PATCH "$API/v1/$APP/functions/env/env" -H "authorization: Bearer $KEY" -d '{"envVars": {"GREETING": "Good night"}}'
//   curl "$API/v1/$APP/fn/env" -H "authorization: Bearer $KEY"

interface Context {
  env: Record<string, string>;
  app: { name: string };
}

export default function handler(_req: Request, ctx: Context): Response {
  const greeting = ctx.env["GREETING"];
  if (greeting === undefined) return new Response("GREETING is not set", { status: 500 });
  return new Response(`${greeting} from ${ctx.app.name}\n`);
}
