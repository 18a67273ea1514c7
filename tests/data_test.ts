// REST over an app's tables, as its callers see it: the query language, values in and out, writes, and every refusal.

import assert from "node:assert/strict";
import { isPlatformSegment } from "../data/schema/mod.ts";
import { type DataWorld, dataWorld } from "./harness/data.ts";

let w: DataWorld;
Deno.test.beforeAll(async () => {
  w = await dataWorld();
});
Deno.test.afterAll(async () => {
  await w[Symbol.asyncDispose]();
});

/** An app with the table `items`, ten rows of it, and the ways to ask for them. */
async function items() {
  const app = await w.app(`
    create table items (id serial primary key, name text not null, size int, note text, done boolean default false,
      tags text[], meta jsonb, at timestamptz);
    insert into items (name, size, note, tags, meta) values
      ('apple', 1, null, '{red,round}', '{"a":1}'), ('Banana', 2, '100%', '{long}', '{"a":2}'),
      ('cherry', 3, 'a,b', null, '[1,2]'), ('date', 4, '(x)', '{}', null), ('elder', null, '"q"', null, null),
      ('fig.leaf', 6, '', null, null), ('grapes and more', 7, 'the fox jumps', null, null)`);
  const names = async (query: string, options = {}) => {
    const { status, body } = await app.json("GET", `items?select=name&order=id&${query}`, options);
    assert.equal(status, 200, `${query}: ${JSON.stringify(body)}`);
    return body.map(({ name }: { name: string }) => name.slice(0, 1)).join("");
  };
  return { ...app, names };
}

Deno.test("each operator answers the rows that SQL's own would", async () => {
  const { names } = await items();
  const cases: [string, string][] = [
    ["", "aBcdefg"],
    ["name=eq.apple", "a"],
    ["name=eq.fig.leaf", "f"],
    ["name=neq.apple", "Bcdefg"],
    ["note=neq.zzz", "Bcdefg"],
    ["note=eq.", "f"],
    ["size=gt.3", "dfg"],
    ["size=gte.3", "cdfg"],
    ["size=lt.3", "aB"],
    ["size=lte.3", "aBc"],
    ["size=gte.2&size=lte.3", "Bc"],
    ["name=like.%25a%25", "aBdfg"],
    ["name=ilike.b%25", "B"],
    ["note=like.100%5C%25", "B"],
    ["size=is.null", "e"],
    ["size=not.is.null", "aBcdfg"],
    ["done=is.false", "aBcdefg"],
    ["done=is.true", ""],
    ["size=in.(1,3)", "ac"],
    ["size=in.1, 3", "ac"],
    ["size=not.in.(1,3)", "Bdfg"],
    ["note=in.(a,b)", ""],
    ['note=in.("a,b",(x))', "cd"],
    ['note=in."\\"q\\""', "e"],
    ["note=in.()", "f"],
    ["note=fts.foxes jumping", "g"],
    ['meta=eq.{"a": 1}', "a"],
    ["tags=eq.{long}", "B"],
    ["tags=cs.{red}", "a"],
    ["tags=cd.{red,round,x}", "ad"],
    ["tags=ov.{long,red}", "aB"],
    ['meta=cs.{"a":2}', "B"],
    ["size=isdistinct.1", "Bcdefg"],
    ["or=(size.eq.1,name.eq.date)", "ad"],
    ["or=(size.eq.1,and(size.gt.2,size.lt.4))", "ac"],
    ["not.or=(size.lt.4,size.is.null)", "dfg"],
    ["and=(size.gt.1,not.or(size.eq.2,size.eq.3))", "dfg"],
    ['or=(note.eq."a,b",note.eq."(x)",size.in.(1,2))', "aBcd"],
    ['or=(note.in.("a,b","(x)"),"name".eq.apple)', "acd"],
    ["name=eq.apple&or=(size.eq.1,size.eq.2)", "a"],
  ];
  for (const [query, expected] of cases) {
    assert.equal(await names(query.replaceAll('"', "%22")), expected, query);
  }
});

Deno.test("select, order, limit and offset choose and arrange, and leave out what the table does not have", async () => {
  const { json } = await items();
  const ask = async (query: string, headers = {}) => (await json("GET", `items?${query}`, { headers })).body;
  assert.deepEqual(await ask("select=id, name,nope&limit=1"), [{ id: 1, name: "apple" }]);
  assert.deepEqual(Object.keys((await ask("select=nope&limit=1"))[0]).length, 8);
  assert.deepEqual(Object.keys((await ask("select=*&limit=1"))[0]).length, 8);
  const sizes = async (query: string) =>
    (await ask(`select=size&${query}`)).map(({ size }: { size: number }) => size);
  assert.deepEqual(await sizes("order=size.desc"), [null, 7, 6, 4, 3, 2, 1]);
  assert.deepEqual(await sizes("order=size.desc.nullslast&limit=2"), [7, 6]);
  assert.deepEqual(await sizes("order=nope,size.down.asc&limit=2"), [1, 2]);
  assert.deepEqual(await sizes("order=done.asc,id.desc&limit=2&offset=1"), [6, null]);
  assert.deepEqual(await sizes("order=id&limit=2x&offset=1y"), [2, 3]);
  for (const limit of ["0", "-1", "x", ""]) assert.equal((await ask(`limit=${limit}&offset=-3`)).length, 7);
  assert.deepEqual(await ask("offset=99999999999999999999"), []);

  const strict = { headers: { prefer: "handling=strict" } };
  for (const query of ["select=nope", "order=nope", "order=size.down", "limit=0", "offset=x"]) {
    const { status, body } = await json("GET", `items?${query}`, strict);
    assert.deepEqual([status, body.error.code], [400, "VALIDATION_INVALID_SCHEMA"], query);
    assert.ok(body.error.message.includes(query), body.error.message);
  }
  for (const word of ["select=id", "order=id", "limit=1", "offset=1"]) {
    assert.equal((await json("GET", `items?${word}&${word}`)).status, 400, word);
  }
});

Deno.test("every filter that cannot be used is named, and none is ignored", async () => {
  const { json } = await items();
  const wrong = [
    "nope=eq.1",
    "size=5",
    "size=",
    "size=between.1",
    "size=is.maybe",
    "size=not.",
    "or=(size.eq.1",
    "or=()",
    "or=(nope.eq.1)",
    "or=(size)",
    'or=(name.eq."x)',
    `or=${"(or".repeat(1)}${"(or".repeat(12)}(size.eq.1${")".repeat(14)}`,
    "constructor=eq.1",
    "__proto__=eq.1",
    "id;drop table items=eq.1",
    "meta->a=eq.1",
  ];
  for (const filter of wrong) {
    const at = filter.indexOf("=");
    const query = `${encodeURIComponent(filter.slice(0, at))}=${encodeURIComponent(filter.slice(at + 1))}`;
    const { status, body } = await json("GET", `items?${query}`);
    assert.deepEqual([status, body.error.code], [400, "VALIDATION_INVALID_SCHEMA"], filter);
    assert.equal(body.error.details.invalidFilters.length, 1, filter);
  }
  const { body } = await json("GET", "items?nope=eq.1&size=5&name=eq.apple");
  assert.equal(body.error.details.invalidFilters.length, 2);
});

Deno.test("Prefer: count=exact adds Content-Range, and the body stays an array", async () => {
  const { request } = await items();
  const ask = async (query: string) => {
    const response = await request("GET", `items?${query}`, { headers: { prefer: "count=exact" } });
    const rows = await response.json();
    return [rows.length, response.headers.get("content-range")];
  };
  assert.deepEqual(await ask("limit=2"), [2, "0-1/7"]);
  assert.deepEqual(await ask("limit=2&offset=6&size=not.is.null"), [0, "*/6"]);
  assert.deepEqual(await ask("limit=2&offset=5"), [2, "5-6/7"]);
  const headers = { prefer: "count=exact", origin: "https://elsewhere.example" };
  const foreign = await request("GET", "items?limit=1", { headers });
  assert.deepEqual([(await foreign.json()).length, foreign.headers.get("content-range")], [1, "0-0/7"]);
  assert.equal(foreign.headers.get("access-control-allow-origin"), null);
  const head = await request("HEAD", "items?size=gt.1", { headers: { prefer: "count=exact" } });
  assert.deepEqual([head.status, head.headers.get("content-range"), await head.text()], [200, "0-4/5", ""]);
  assert.equal((await request("HEAD", "items/1")).status, 200);
  assert.equal((await request("HEAD", "items/99")).status, 404);
});

Deno.test("values of every type arrive as the contract's table says, and go back in as they came", async () => {
  const app = await w.app(
    `create table v (id int primary key, i2 int2, i8 int8, n numeric, f4 real, f8 float8, b bool,
    t text, vc varchar(5), c char(4), u uuid, ti time, tz timestamptz, ts timestamp, d date, iv interval, j json, jb jsonb,
    by bytea, ta text[], ia int[], na numeric[], ba int8[], tza timestamptz[], da date[], o oid)`,
  );
  const values = {
    i2: -5,
    i8: "9223372036854775807",
    n: "12.50",
    f4: 0.1,
    f8: 1e300,
    b: true,
    t: 'Ünï "😀" \\ \n',
    vc: "abcde",
    c: "ab  ",
    u: "6f1c2f5e-7a55-4a0e-8f39-0d5ad3d1c7aa",
    ti: "12:34:56.5",
    tz: "2024-02-29T23:59:59.123Z",
    ts: "2024-02-29T23:59:59.123Z",
    d: "2024-02-29T00:00:00.000Z",
    j: { deep: [1, { a: null }], s: "x" },
    jb: [1, "two", { three: 3 }],
    by: "\\x00ff10",
    ta: ["a", 'q"uo,te', "", null, "NULL", "\\"],
    ia: [1, null, 3],
    na: [1.5, 2],
    ba: ["9007199254740993", null],
    tza: ["2024-02-29T23:59:59.123Z", null],
    da: ["2024-02-29T00:00:00.000Z"],
    o: 4_000_000_000,
  };
  const first = await app.json("POST", "v", { body: { id: 1, ...values, iv: "1 year 2 days 03:00:00.5" } });
  assert.equal(first.status, 201, JSON.stringify(first.body));
  const { id: _, iv, ...shown } = first.body;
  assert.deepEqual(shown, values);
  assert.deepEqual(iv, { years: 1, days: 2, hours: 3, milliseconds: 500 });
  const again = await app.json("POST", "v", { body: { ...first.body, iv: null, id: 2 } });
  assert.deepEqual(again.body, { ...first.body, id: 2, iv: null });
  assert.deepEqual((await app.json("GET", "v/1")).body, first.body);

  const nulls = await app.json("POST", "v", { body: { id: 3 } });
  assert.ok(Object.entries(nulls.body).every(([key, value]) => key === "id" || value === null));
  const special = await app.json("POST", "v", {
    body: { id: 4, f8: "NaN", f4: "Infinity", tz: "infinity", d: "0044-03-15 BC", iv: "-1 day", n: "NaN" },
  });
  const { f8, f4, tz, d, n } = special.body;
  assert.deepEqual([f8, f4, tz, d, n, special.body.iv], [null, null, "infinity", "0044-03-15 BC", "NaN", {
    days: -1,
  }]);
});

Deno.test("what a request may say for a value is judged by PostgreSQL, by the column's type", async () => {
  const app = await w.app(
    "create table v (id serial primary key, i int, i8 int8, n numeric(30,10), t text, v varchar(3), b bool, jb jsonb, ta text[])",
  );
  const put = async (text: string) => {
    const { status, body } = await app.json("POST", "v", {
      body: text,
      headers: { "content-type": "application/json" },
    });
    return status === 201 ? body : [status, body.error.code];
  };
  const invalid = [400, "VALIDATION_INVALID_INPUT"];
  const kept = async (column: string, text: string) => (await put(`{"${column}":${text}}`))[column];
  assert.equal(await kept("i8", "9007199254740993"), "9007199254740993");
  assert.equal(await kept("n", "12345678901234567890.0123456789"), "12345678901234567890.0123456789");
  assert.equal(await kept("i", "5.0"), 5);
  assert.equal(await kept("i", "1e3"), 1000);
  assert.equal(await kept("i", '"7"'), 7);
  assert.equal(await kept("t", '{"a": [1]}'), '{"a":[1]}');
  assert.equal(await kept("t", "12"), "12");
  assert.equal(await kept("b", '"yes"'), true);
  assert.equal(await kept("jb", '"text"'), "text");
  assert.deepEqual(await kept("jb", "[]"), []);
  assert.deepEqual(await kept("ta", "[]"), []);
  for (
    const body of [
      '{"i":5.5}',
      '{"i":"x"}',
      '{"i":99999999999}',
      '{"i8":1e400}',
      '{"v":"long"}',
      '{"ta":{"a":1}}',
      '{"b":7}',
    ]
  ) {
    assert.deepEqual(await put(body), invalid, body);
  }
  const nested = `${"[".repeat(50)}"deep"${"]".repeat(50)}`;
  assert.equal(JSON.stringify(await kept("jb", nested)), nested);
  assert.deepEqual(await put(`{"jb":${"[".repeat(200_000)}${"]".repeat(200_000)}}`), [400, "REQUEST_ERROR"]);
  for (
    const body of [
      '{"t":"a\\u0000b"}',
      '{"t":"\\ud800"}',
      '{"jb":{"a":["\\u0000"]}}',
      '{"__proto__":{}}',
      "{",
      "",
      "nul",
    ]
  ) {
    assert.deepEqual(await put(body), [400, "REQUEST_ERROR"], body);
  }
  for (const body of ["null", "1", '"x"', "{}", '{"nope":1}', "[1]", "[{}]", '[{"i":1},null]']) {
    assert.deepEqual(await put(body), [400, "VALIDATION_INVALID_SCHEMA"], body);
  }
  assert.deepEqual(await put(`{"t":"${"x".repeat(1024 * 1024)}"}`), [413, "PAYLOAD_TOO_LARGE"]);
});

Deno.test("a row is read, changed and deleted by its primary key, whatever that is called", async () => {
  const app = await w.app(
    `create table u (key uuid primary key, a int); create table k ("der Schlüssel/ä" text primary key);
    create table two (a int, b int, primary key (a, b)); create table none (a int); insert into none values (1);
    create table child (id int primary key, k text references k)`,
  );
  const id = crypto.randomUUID();
  assert.equal((await app.json("POST", "u", { body: { key: id, a: 1 } })).status, 201);
  assert.deepEqual((await app.json("GET", `u/${id}?select=a&a=eq.7`)).body, { key: id, a: 1 });
  assert.deepEqual((await app.json("PATCH", `u/${id}`, { body: { a: 2, nope: 1 } })).body, { key: id, a: 2 });
  assert.deepEqual((await app.json("DELETE", `u/${id}`)).body, { deleted: true });
  const key = "a/b?c=ü%";
  await app.json("POST", "k", { body: { "der Schlüssel/ä": key } });
  assert.deepEqual((await app.json("GET", `k/${encodeURIComponent(key)}`)).body, { "der Schlüssel/ä": key });
  await app.json("POST", "child", { body: { id: 1, k: key } });

  const refusals: [string, string, number, string][] = [
    ["GET", `u/${id}`, 404, "RESOURCE_NOT_FOUND"],
    ["DELETE", `u/${id}`, 404, "RESOURCE_NOT_FOUND"],
    ["PATCH", `u/${id}`, 404, "RESOURCE_NOT_FOUND"],
    ["GET", "u/x", 400, "VALIDATION_INVALID_TYPE"],
    ["GET", "child/x", 400, "VALIDATION_INVALID_INPUT"],
    ["GET", "child/%00", 400, "VALIDATION_INVALID_INPUT"],
    ["GET", "two/1", 400, "VALIDATION_INVALID_SCHEMA"],
    ["GET", "none/1", 400, "VALIDATION_INVALID_SCHEMA"],
    ["DELETE", `k/${encodeURIComponent(key)}`, 400, "VALIDATION_FOREIGN_KEY_VIOLATION"],
    ["POST", "child/1", 404, "RESOURCE_NOT_FOUND"],
    ["PUT", "child/1", 404, "RESOURCE_NOT_FOUND"],
    ["PUT", "child", 404, "RESOURCE_NOT_FOUND"],
    ["GET", "nope", 404, "VALIDATION_TABLE_NOT_FOUND"],
    ["GET", "nope/1", 404, "VALIDATION_TABLE_NOT_FOUND"],
    ["GET", "_idempotency_keys", 404, "VALIDATION_TABLE_NOT_FOUND"],
    ["GET", "pg_class", 404, "VALIDATION_TABLE_NOT_FOUND"],
    ["GET", "pg_catalog.pg_authid", 404, "VALIDATION_TABLE_NOT_FOUND"],
    ["GET", "constructor", 404, "VALIDATION_TABLE_NOT_FOUND"],
    ["GET", "__proto__", 404, "VALIDATION_TABLE_NOT_FOUND"],
    ["GET", "%00", 404, "VALIDATION_TABLE_NOT_FOUND"],
  ];
  for (const [method, path, status, code] of refusals) {
    const body = ["PATCH", "POST", "PUT"].includes(method) ? { body: { a: 1 } } : {};
    const answer = await app.json(method, path, body);
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], `${method} ${path}`);
    assert.ok(answer.body.error.remediation.length > 0);
  }
  assert.deepEqual((await app.json("GET", "none")).body, [{ a: 1 }]);
});

Deno.test("several rows are inserted by one request, in order, all or none, each with its own defaults", async () => {
  const app = await w.app("create table r (id serial primary key, a int default 7, b text unique)");
  const rows = [{ b: "x" }, { a: 1, b: "y" }, { a: null, b: "z", nope: true }];
  const post = (body: object) => app.json("POST", "r", { body: JSON.stringify(body) });
  const { status, body } = await post(rows);
  assert.equal(status, 201);
  assert.deepEqual(body, [{ id: 1, a: 7, b: "x" }, { id: 2, a: 1, b: "y" }, { id: 3, a: null, b: "z" }]);
  assert.equal(
    (await post([{ b: "new" }, { b: "x" }])).body.error.code,
    "VALIDATION_UNIQUE_CONSTRAINT_VIOLATION",
  );
  assert.deepEqual([(await post([])).status, (await post([])).body], [201, []]);
  const many = await post(Array.from({ length: 1000 }, (_, at) => ({ b: `row ${at}` })));
  assert.deepEqual(
    many.body.map((row: { b: string }) => row.b),
    Array.from({ length: 1000 }, (_, at) => `row ${at}`),
  );
  assert.equal((await app.json("GET", "r?b=eq.new")).body.length, 0);
  const wide = await post(Array.from({ length: 10_001 }, (_, at) => ({ b: `w${at}` })));
  assert.deepEqual([wide.status, wide.body.error.code], [400, "VALIDATION_INVALID_SCHEMA"]);
  const single = await app.request("POST", "r?select=b", {
    body: { b: "whole" },
    headers: { prefer: "return=minimal" },
  });
  assert.deepEqual([single.status, await single.text()], [201, ""]);
});

Deno.test("an upsert merges or ignores what is there, by the key or by on_conflict", async () => {
  const app = await w.app(
    "create table r (id int primary key, a int, b text unique, c int not null default 5); insert into r values (1, 1, 'x', 1)",
  );
  const upsert = (how: string, query: string, body: object) =>
    app.json("POST", `r${query}`, {
      body: JSON.stringify(body),
      headers: { prefer: `resolution=${how}-duplicates` },
    });
  assert.deepEqual((await upsert("merge", "", { id: 1, a: 2 })).body, { id: 1, a: 2, b: "x", c: 1 });
  assert.deepEqual(
    (await upsert("merge", "?on_conflict=b", [{ id: 9, b: "x", a: 3 }, { id: 2, b: "y", a: 4 }])).body,
    [
      { id: 9, a: 3, b: "x", c: 1 },
      { id: 2, a: 4, b: "y", c: 5 },
    ],
  );
  assert.deepEqual((await upsert("merge", "", { id: 2 })).body, { id: 2, a: 4, b: "y", c: 5 });
  assert.deepEqual((await upsert("ignore", "", { id: 2, a: 0 })).body, null);
  assert.deepEqual((await upsert("ignore", "", [{ id: 2, a: 0 }, { id: 3 }])).body, [{
    id: 3,
    a: null,
    b: null,
    c: 5,
  }]);
  const refusals: [string, object][] = [
    ["?on_conflict=nope", { id: 1 }],
    ["?on_conflict=a", { id: 1 }],
    ["", [{ id: 1, a: 1 }, { id: 2 }]],
    ["", [{ id: 1, a: 1 }, { id: 1, a: 2 }]],
  ];
  for (const [query, body] of refusals) {
    assert.equal((await upsert("merge", query, body)).status, 400, query);
  }
  assert.equal((await app.json("POST", "r?on_conflict=id", { body: { id: 1 } })).status, 400);
});

Deno.test("a change of many rows needs a filter, and touches those that it matches and no other", async () => {
  const { json, request, names } = await items();
  const changed = await json("PATCH", "items?size=gt.3&select=name,note", { body: { note: "big" } });
  assert.equal(changed.status, 200);
  assert.deepEqual(changed.body.map(({ note }: { note: string }) => note), ["big", "big", "big"]);
  assert.deepEqual(Object.keys(changed.body[0]), ["name", "note"]);
  assert.equal(await names("note=eq.big"), "dfg");
  assert.deepEqual((await json("PATCH", "items?size=gt.99", { body: { note: "x" } })).body, []);
  const minimal = await request("PATCH", "items?size=eq.1", {
    body: { note: "x" },
    headers: { prefer: "return=minimal" },
  });
  assert.deepEqual([minimal.status, await minimal.text()], [204, ""]);
  for (
    const query of [
      "",
      "?limit=1",
      "?size=gt.1&limit=1",
      "?size=gt.1&offset=1",
      "?size=gt.1&order=id",
      "?size=gt.x",
      "?nope=eq.1",
    ]
  ) {
    assert.equal((await json("DELETE", `items${query}`)).status, 400, query);
    assert.equal((await json("PATCH", `items${query}`, { body: { note: "y" } })).status, 400, query);
  }
  assert.equal((await json("PATCH", "items?size=eq.1", { body: { nope: 1 } })).status, 400);
  assert.equal(
    await names("note=neq.y"),
    "aBcdfge".split("").sort((a, b) => "aBcdefg".indexOf(a) - "aBcdefg".indexOf(b)).join(""),
  );
  assert.deepEqual((await json("DELETE", "items?size=in.(1,2)")).body, { deleted: 2 });
  const gone = await json("DELETE", "items?size=eq.3&select=name", {
    headers: { prefer: "return=representation" },
  });
  assert.deepEqual(gone.body, [{ name: "cherry" }]);
  assert.equal(await names(""), "defg");
});

Deno.test("any word may name a table or a column", async () => {
  const odd = [
    "constructor",
    "__proto__",
    "toString",
    'qu"ote',
    "Ünï cödé 😀",
    "select",
    "t",
    "r",
    "changed",
    "answer",
    "a.b",
    "x,y",
    "pgadmin",
    "%",
    "body",
    "rows",
  ];
  const quoted = odd.map((name) => `"${name.replaceAll('"', '""')}"`);
  const app = await w.app(
    quoted.map((name) =>
      `create table ${name} (id int primary key, ${quoted.map((c) => `${c} text`).join(", ")})`
    ).join(";"),
  );
  for (const name of odd) {
    const path = encodeURIComponent(name);
    const body = `{"id":1,${
      odd.filter((each) => each !== "__proto__").map((each) =>
        `${JSON.stringify(each)}:${JSON.stringify(each)}`
      ).join(",")
    }}`;
    const made = await app.json("POST", path, { body });
    assert.equal(made.status, 201, `${name}: ${JSON.stringify(made.body)}`);
    assert.equal(made.body[name], name === "__proto__" ? null : name);
    const word = `"${name.replaceAll('"', '\\"')}"`;
    const query = new URLSearchParams({
      and: `(${word}.eq.${word})`,
      order: `${word}.desc`,
      select: `id,${word}`,
    });
    const row = (await app.json("GET", `${path}?${query}`)).body;
    assert.deepEqual(row, name === "__proto__" ? [] : [{ id: 1, [name]: name }]);
    assert.equal((await app.json("DELETE", `${path}/1`)).status, 200);
  }
});

Deno.test("lists of ten thousand values and queries as long as HTTP takes are answered", async () => {
  const app = await w.app(
    "create table n (id int primary key); insert into n select generate_series(1, 5000)",
  );
  const list = Array.from({ length: 10_000 }, (_, at) => at + 1).join(",");
  const { status, body } = await app.json("GET", `n?id=in.(${list})&select=id&order=id.desc&limit=3`);
  assert.deepEqual([status, body], [200, [{ id: 5000 }, { id: 4999 }, { id: 4998 }]]);
  const filters = Array.from({ length: 4000 }, () => "id=gt.4998").join("&");
  assert.deepEqual((await app.json("GET", `n?${filters}`)).body, [{ id: 4999 }, { id: 5000 }]);
  const groups = `or=(${Array.from({ length: 3000 }, (_, at) => `id.eq.${at}`).join(",")})`;
  assert.equal((await app.json("GET", `n?${groups}`)).body.length, 2999);
});

Deno.test("a table of a million rows is counted and paged", async () => {
  const app = await w.app(
    "create table big (id int primary key); insert into big select generate_series(1, 1000000)",
  );
  const page = await app.request("GET", "big?order=id&limit=2&offset=999998", {
    headers: { prefer: "count=exact" },
  });
  assert.deepEqual(await page.json(), [{ id: 999_999 }, { id: 1_000_000 }]);
  assert.equal(page.headers.get("content-range"), "999998-999999/1000000");
  const all = await app.json("GET", "big");
  assert.deepEqual([all.status, all.body.error.code], [413, "QUOTA_LIMIT_EXCEEDED"]);
  assert.deepEqual(all.body.error.details, { limit_rows: 10_000, limit_bytes: 16_777_216 });
});

Deno.test("an answer past the node's limits is refused, and a change with such an answer is undone", async () => {
  const app = await w.app(
    `create table l (id int primary key, t text); insert into l select i, 'x' from generate_series(1, 6) i;
    create table wide (id int primary key, t text); insert into wide values (1, repeat('x', 3000))`,
  );
  const small = { node: "small" } as const;
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await app.json(method, path, { ...small, ...(body && { body: JSON.stringify(body) }) });
    return [answer.status, answer.body?.error?.code];
  };
  const refused = [413, "QUOTA_LIMIT_EXCEEDED"];
  assert.deepEqual(await ask("GET", "l"), refused);
  assert.deepEqual(await ask("GET", "l?limit=6"), refused);
  assert.deepEqual(await ask("GET", "l?limit=5"), [200, undefined]);
  assert.deepEqual(await ask("GET", "l?limit=100&id=gt.2"), [200, undefined]);
  assert.deepEqual(await ask("GET", "wide"), refused);
  assert.deepEqual(await ask("GET", "wide/1"), refused);
  assert.deepEqual(await ask("GET", "wide?select=id"), [200, undefined]);
  assert.deepEqual(await ask("PATCH", "l?id=gt.0", { t: "changed" }), refused);
  assert.deepEqual(await ask("POST", "wide", { id: 2, t: "y".repeat(3000) }), refused);
  assert.deepEqual((await app.json("GET", "l?t=eq.changed")).body, []);
  assert.deepEqual((await app.json("GET", "wide?id=eq.2")).body, []);
  assert.deepEqual(await ask("POST", "l", Array.from({ length: 6 }, (_, at) => ({ id: 10 + at }))), [
    400,
    "VALIDATION_INVALID_SCHEMA",
  ]);
  assert.deepEqual((await app.json("DELETE", "l?id=gt.0", small)).body, { deleted: 6 });
});

Deno.test("a statement that runs too long is stopped, and its connection serves the next", async () => {
  const app = await w.app(`create table slow (id int primary key); insert into slow values (1);
    alter table slow enable row level security; create policy slow on slow using (pg_sleep(30) is not null)`);
  const answer = await app.json("GET", "slow", { node: "small", key: null });
  assert.deepEqual([answer.status, answer.body.error.code], [504, "QUERY_TIMEOUT"]);
  assert.equal((await app.json("GET", "slow", { node: "small" })).status, 200);
});

Deno.test("tables that SQL makes, changes and drops are found so without a restart", async () => {
  const app = await w.app("create table s (id int primary key, a int)");
  assert.equal((await app.json("POST", "s", { body: { id: 1, a: 1 } })).status, 201);
  await app.sql("alter table s drop column a; alter table s add column b text", { tell: false });
  assert.deepEqual((await app.json("GET", "s")).body, [{ id: 1, b: null }]);
  await app.sql("alter table s alter column b type int using 4", { tell: false });
  assert.equal((await app.json("GET", "s/1")).status, 200);
  await app.sql("drop table s", { tell: false });
  const gone = await app.json("GET", "s");
  assert.deepEqual([gone.status, gone.body.error.code], [404, "VALIDATION_TABLE_NOT_FOUND"]);
});

Deno.test("no table stands in the way of the platform's own paths", async () => {
  const own = w.platform.routes.map(({ path }) => /^\/v1\/:app_id\/([^:/*]+)/.exec(path)?.[1]);
  const segments = new Set(own.filter((segment) => segment !== undefined));
  assert.ok(segments.size >= 7, String(segments.size));
  for (const segment of segments) assert.ok(isPlatformSegment(segment), segment);
  const app = await w.app(
    "create table functions (id int primary key); create table people (id int primary key)",
  );
  assert.deepEqual((await app.json("GET", "functions")).body, { functions: [] });
  for (const path of ["people", "people/1", "functions/x/y", "peopl%65", "config/nothing"]) {
    const { status, body } = await app.json("POST", path, { body: { id: 1 } });
    assert.deepEqual([status, body.error.code], [404, "RESOURCE_NOT_FOUND"], path);
  }
});
