// Notes that only their owner sees: PostgreSQL's row-level security decides it, not the code below.
// An end user calls with a token of the app; a platform key may speak for one, as here.
//
//   node examples/deploy.mjs database
//   curl "$API/v1/$APP/fn/database" -H "authorization: Bearer $KEY" -H "x-butterbase-as-user: ada" -d "Buy milk"
//   curl "$API/v1/$APP/fn/database" -H "authorization: Bearer $KEY" -H "x-butterbase-as-user: ada"
//   curl "$API/v1/$APP/fn/database" -H "authorization: Bearer $KEY" -H "x-butterbase-as-user: bob"

interface Queries {
  query(text: string, parameters?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

interface Context {
  user: { id: string } | null;
  db: Queries & { asService<Value>(run: (db: Queries) => Promise<Value>): Promise<Value> };
}

// The lock lets one of several isolates make the table, and the others find it made.
const schema = `
  select pg_advisory_xact_lock(1);
  create table if not exists notes (
    id bigint generated always as identity primary key,
    owner text not null default current_user_id(),
    body text not null
  );
  alter table notes enable row level security;
  drop policy if exists own_notes on notes;
  create policy own_notes on notes using (owner = current_user_id());`;

let made: Promise<unknown> | undefined;

/** Makes the table once for each isolate, and tries again after a failure. */
function ready({ db }: Context): Promise<unknown> {
  made ??= db.asService((service) => service.query(schema)).catch((error) => {
    made = undefined;
    throw error;
  });
  return made;
}

export default async function handler(req: Request, ctx: Context): Promise<Response> {
  if (ctx.user === null) return new Response("This needs a signed-in user\n", { status: 401 });
  await ready(ctx);
  if (req.method === "POST") {
    const added = await ctx.db.query("insert into notes (body) values ($1) returning id, body", [
      await req.text(),
    ]);
    return Response.json(added.rows[0], { status: 201 });
  }
  // No `where owner = …`: the policy adds it to whatever an end user asks.
  const notes = await ctx.db.query("select id, body from notes order by id");
  return Response.json(notes.rows);
}
