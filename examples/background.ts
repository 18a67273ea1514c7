// Answers at once and goes on working: what it prints afterwards stands in the log of the same call.
//
//   node examples/deploy.mjs background '{"trigger": {"type": "http", "config": {"auth": "none"}}}'
//   curl "$API/v1/$APP/fn/background" -d '{"email": "ada@example.com"}'
//   sleep 2
//   curl "$API/v1/$APP/functions/background/logs" -H "authorization: Bearer $KEY"

interface Context {
  /** Keeps the call alive for up to 30 seconds after its answer. */
  waitUntil(work: Promise<unknown>): void;
}

export default async function handler(req: Request, ctx: Context): Promise<Response> {
  const { email } = await req.json() as { email: string };
  ctx.waitUntil(welcome(email));
  return Response.json({ accepted: email }, { status: 202 });
}

/** A real one would call a mail service with `fetch`. Nobody hears of its failure but the log, so it says so there. */
async function welcome(email: string): Promise<void> {
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    console.log(`welcomed ${email}`);
  } catch (error) {
    console.error("the welcome was not sent", error);
  }
}
