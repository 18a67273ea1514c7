// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// One app and everybody who may knock at it: keys of every reach, end users who signed up and in, and what is no good.

import assert from "node:assert/strict";
import { goodPassword, newEmail, TestUsers } from "./end_users.ts";
import { ownerKey, type TestPlatform } from "./platform.ts";

/** Who asks. The operator owns the server, the owner the app; `stranger` has an account and apps of his own. */
export const callers = [
  "operator",
  "owner",
  "appKey",
  "otherAppKey",
  "stranger",
  "userA",
  "userB",
  "foreignUser",
  "expired",
  "anonKey",
  "otherAnonKey",
  "nobody",
  "garbage",
] as const;
export type Caller = (typeof callers)[number];

export interface World {
  readonly p: TestPlatform;
  readonly app: string;
  readonly users: TestUsers;
  /** What each caller sends as bearer; `null` for nothing. */
  readonly bearers: Readonly<Record<Caller, string | null>>;
  /** Ids of the two end users. */
  readonly a: string;
  readonly b: string;
  /** A request of the app's owner, which must succeed; the answer's body. */
  asOwner(method: string, path: string, body?: object): Promise<any>;
  keyFor(app: string): Promise<string>;
}

/** The app has the tables `notes` and `drafts`, of which each user sees their own rows, and the function `who`. */
export async function openWorld(p: TestPlatform): Promise<World> {
  const [owner, stranger] = [await p.addAccount(), await p.addAccount()];
  const app = await p.createApp({ key: owner });
  const otherApp = await p.createApp({ key: owner });

  async function asOwner(method: string, path: string, body?: object): Promise<any> {
    const answer = await p.json(method, path, { key: owner, ...(body === undefined ? {} : { body }) });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
  const keyFor = async (target: string) =>
    (await asOwner("POST", "/api-keys", { name: "of one app", key_scope: "app", target_app_id: target })).key;
  const anonKey = async (of: string) => (await asOwner("GET", `/v1/${of}/config`)).anon_key;

  const columns = {
    id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
    user_id: { type: "text" },
    title: { type: "text" },
  };
  await asOwner("POST", `/v1/${app}/schema/apply`, {
    schema: { tables: { notes: { columns }, drafts: { columns } } },
  });
  for (const table_name of ["notes", "drafts"]) {
    await asOwner("POST", `/v1/${app}/rls`, { table_name, user_column: "user_id" });
  }
  await p.deploy(app, "who", whoCode, { auth: "required", key: owner });

  const users = new TestUsers(p, app);
  const [a, b] = [await users.signedIn(newEmail("a")), await users.signedIn(newEmail("b"))];
  const foreign = await new TestUsers(p, otherApp).signedIn(newEmail(), goodPassword);
  return {
    p,
    app,
    users,
    bearers: {
      operator: ownerKey,
      owner,
      appKey: await keyFor(app),
      otherAppKey: await keyFor(otherApp),
      stranger,
      userA: a.access_token,
      userB: b.access_token,
      foreignUser: foreign.access_token,
      expired: await p.userToken(app, a.user.id, { email: a.user.email }, -60),
      anonKey: await anonKey(app),
      otherAnonKey: await anonKey(otherApp),
      nobody: null,
      garbage: "garbage",
    },
    a: a.user.id,
    b: b.user.id,
    asOwner,
    keyFor,
  };
}

const whoCode = `export default async (req, ctx) => {
  const { rows: [row] } = await ctx.db.query("select current_user::text as role, current_user_id() as id");
  return Response.json({ ...row, user: ctx.user?.id ?? null });
}`;
