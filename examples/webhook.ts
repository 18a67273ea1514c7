// Takes an event of another service once, however often it is sent, and believes only what is signed.
//
//   node examples/deploy.mjs webhook '{"envVars": {"SECRET": "shared"}, "trigger": {"type": "http", "config": {"auth": "none", "method": "POST"}}}'
//   export EVENT='{"id": "evt_1", "type": "order.paid"}'
//   SIGNATURE=$(node -p 'crypto.createHmac("sha256", "shared").update(process.env.EVENT).digest("hex")')
//   curl "$API/v1/$APP/fn/webhook" -H "x-signature: $SIGNATURE" -d "$EVENT"
//   curl "$API/v1/$APP/fn/webhook" -H "x-signature: $SIGNATURE" -d "$EVENT"
//   curl "$API/v1/$APP/fn/webhook" -H "x-signature: 00" -d "$EVENT"

interface Queries {
  query(text: string, parameters?: unknown[]): Promise<unknown>;
}

interface Context {
  env: Record<string, string>;
  db: { asService<Value>(run: (db: Queries) => Promise<Value>): Promise<Value> };
  idempotency: { claim(key: string, options: { scope: string; ttlSeconds: number }): Promise<boolean> };
}

const scope = "orders";

export default async function handler(req: Request, ctx: Context): Promise<Response> {
  const body = await req.bytes();
  if (!await isSigned(body, req.headers.get("x-signature") ?? "", ctx.env["SECRET"] ?? "")) {
    return new Response("The signature is wrong\n", { status: 401 });
  }
  const event = JSON.parse(new TextDecoder().decode(body)) as { id: string; type: string };
  // True for the first who asks with this key, also when two come at once; false ever after.
  const first = await ctx.idempotency.claim(event.id, { scope, ttlSeconds: 7 * 24 * 60 * 60 });
  if (!first) return new Response("seen before\n");
  try {
    await handle(event);
    return new Response("done\n");
  } catch (error) {
    // Given back, so that the sender's next attempt is not taken for a repetition.
    await ctx.db.asService((db) =>
      db.query("delete from _idempotency_keys where scope = $1 and key = $2", [scope, event.id])
    );
    throw error;
  }
}

async function handle({ id, type }: { id: string; type: string }): Promise<void> {
  console.log(`handling ${type} ${id}`);
  await Promise.resolve();
}

async function isSigned(body: Uint8Array<ArrayBuffer>, signature: string, secret: string): Promise<boolean> {
  if (secret === "" || !/^([0-9a-f]{2})+$/.test(signature)) return false;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, [
    "verify",
  ]);
  return await crypto.subtle.verify("HMAC", key, Uint8Array.fromHex(signature), body);
}
