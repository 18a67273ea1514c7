// An honest function of another app, called all the time while the attacks run. It holds what an attacker would like to
// have: a secret in its settings, a row in its database, requests with a credential.

import type { TestPlatform } from "../harness/platform.ts";

export interface Neighbour extends AsyncDisposable {
  /** What nobody else may ever see. */
  readonly secret: string;
  readonly app: string;
  /** Calls so far. */
  readonly calls: () => number;
  /** Calls that were not answered as they should be, each with what came. */
  readonly faults: readonly string[];
}

const program = `export default async function handler(req, ctx) {
  const { rows } = await ctx.db.asService((db) => db.query("select secret from kept"));
  return Response.json([await req.text(), ctx.env.SECRET, rows[0].secret]);
}`;
const setUp = `export default async function handler(req, ctx) {
  await ctx.db.asService(async (db) => {
    await db.query("create table kept (secret text)");
    await db.query("insert into kept values ($1)", [await req.text()]);
  });
  return new Response("ready");
}`;

/** A breath between two calls, so that the neighbour itself is no load. */
const pauseMs = 20;

export async function settleNeighbour(platform: TestPlatform): Promise<Neighbour> {
  const secret = `neighbour-${crypto.randomUUID()}`;
  const app = await platform.createApp();
  const ready = await fetch(await platform.deploy(app, "set-up", setUp), { method: "POST", body: secret });
  if (await ready.text() !== "ready") throw new Error(`The neighbour could not settle: ${ready.status}`);
  const url = await platform.deploy(app, "neighbour", program, { envVars: { SECRET: secret } });
  const faults: string[] = [];
  let calls = 0;
  let gone = false;
  async function call(): Promise<void> {
    const body = `call ${calls} with ${secret}`;
    try {
      const response = await fetch(url, { method: "POST", body, headers: { "x-credential": secret } });
      const text = await response.text();
      if (text !== JSON.stringify([body, secret, secret])) {
        faults.push(`a call was answered ${response.status} ${text.slice(0, 200)}`);
      }
    } catch (error) {
      faults.push(`a call failed: ${error}`);
    }
    calls++;
  }
  await call();
  const living = (async () => {
    while (!gone) {
      await call();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  return {
    secret,
    app,
    calls: () => calls,
    faults,
    async [Symbol.asyncDispose]() {
      gone = true;
      await living;
    },
  };
}
