// What is one expression or one type, and above all what is not.

import assert from "node:assert/strict";
import { expressionFault, inParentheses, typeFault } from "./grammar.ts";
import { quoteName, quoteText } from "./quote.ts";

const expressions = [
  "now()",
  "'it''s; fine)'",
  "$$a) ; drop table x$$",
  "E'\\') drop'",
  "1 -- a comment",
  "/* ) */ 0",
  "price > 0 and (status in ('a', 'b') or note is null)",
  "case when a then 1 else 2 end",
  "'{}'::jsonb || jsonb_build_object('a', 1)",
  "user_id = current_user_id()::uuid",
  'exists (select 1 from teams where teams.id = "team id")',
  "(".repeat(1000) + "1" + ")".repeat(1000),
];
for (const text of expressions) {
  Deno.test(`expressionFault() lets pass: ${text.slice(0, 40)}`, async () => {
    assert.equal(await expressionFault(text), null);
  });
}

const notExpressions = [
  "",
  "  ",
  "1); drop table users; --",
  "1), add column evil int default (2",
  "1) from users where (true",
  "1) union select (2",
  "1) as x, (2",
  "1) x, (select 2",
  "1 /*",
  "'open",
  "$$open",
  "1;",
  "1))",
  "((1)",
  "1).x, (2",
  "1) order by (1",
  "1) limit (1",
  "1) for update; select (1",
  "1 as named",
  "\0",
  "1\0); drop table x",
  "\ud800",
  "(".repeat(9_000),
  "1" + " + 1".repeat(3_000),
];
for (const text of notExpressions) {
  Deno.test(`expressionFault() refuses: ${JSON.stringify(text).slice(0, 50)}`, async () => {
    assert.equal(typeof await expressionFault(text), "string");
  });
}

Deno.test("a comment at an expression's end does not reach the parenthesis behind it", () => {
  assert.equal(inParentheses("1 -- x"), "(1 -- x\n)");
});

for (
  const text of [
    "text",
    "numeric(10, 2)",
    "timestamp(3) with time zone",
    "public.mood[]",
    '"Mood"',
    "int array[4]",
  ]
) {
  Deno.test(`typeFault() lets pass: ${text}`, async () => assert.equal(await typeFault(text), null));
}

const notTypes = [
  "",
  "text not null",
  'text collate "C"',
  "setof text",
  "int default 1",
  "int, b int",
  "int); drop table x; --",
  "int check (true)",
  "int::text",
  "int + 1",
  "orders.id%type",
  "text references users",
];
for (const text of notTypes) {
  Deno.test(`typeFault() refuses: ${text}`, async () => assert.equal(typeof await typeFault(text), "string"));
}

Deno.test("quoted names and texts hold what they are given", () => {
  assert.equal(quoteName('a"b'), '"a""b"');
  assert.equal(quoteText("it's"), "'it''s'");
  assert.equal(quoteText("a\\' b"), "E'a\\\\'' b'");
});
