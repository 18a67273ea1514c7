import assert from "node:assert/strict";
import { AppError } from "../core/errors.ts";
import { parseAllowedOrigins, parseAppDraft } from "./apps.ts";
import { parsePause } from "./pause.ts";

function refusal(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, "VALIDATION_INVALID_SCHEMA");
    return error;
  }
  throw new Error("It was not refused");
}

const draft = (body: unknown) => parseAppDraft(body, ["local", "eu"]);

Deno.test("an app is drafted from its name alone, and fields that are not known are dropped", () => {
  const given = { name: "my-app_1", organization_id: "x", owner_id: "y", id: "app_000000000000" };
  assert.deepEqual(draft(given), { name: "my-app_1", subdomain: null, region: null });
});

Deno.test("a name that is a number is taken as its digits", () => {
  assert.equal(draft({ name: 42 }).name, "42");
  for (const name of [-1, 1.5, 1e21, NaN]) refusal(() => draft({ name }));
});

Deno.test("names are 1 to 63 lower-case letters, digits, hyphens and underscores", () => {
  for (const name of ["a", "0", "a".repeat(63), "a-", "a_b-c"]) assert.equal(draft({ name }).name, name);
  for (
    const name of [
      "",
      "-a",
      "_a",
      "A",
      "a b",
      "a.b",
      "ä",
      "a".repeat(64),
      "a\n",
      null,
      {},
      [],
      true,
      undefined,
    ]
  ) {
    assert.deepEqual((refusal(() => draft({ name })).details as { path: string[] }[])[0]?.path, ["name"]);
  }
});

Deno.test("subdomains are letters, digits and inner hyphens", () => {
  for (const subdomain of ["a", "a-b", "0", "a".repeat(63)]) {
    assert.equal(draft({ name: "x", subdomain }).subdomain, subdomain);
  }
  for (const subdomain of ["", "-a", "a-", "a_b", "a.b", "A", "a".repeat(64), 1, {}]) {
    refusal(() => draft({ name: "x", subdomain }));
  }
});

Deno.test("a region that is not offered is refused, and the message names those that are", () => {
  assert.equal(draft({ name: "x", region: "eu" }).region, "eu");
  for (const region of ["us", "", 1, ["local"]]) {
    assert.match(refusal(() => draft({ name: "x", region })).message, /local, eu/);
  }
});

Deno.test("a draft that is no object is refused", () => {
  for (const body of [null, [], "x", 1, true, undefined]) refusal(() => draft(body));
});

Deno.test("allowed origins are read in both spellings, each normalised to what a browser sends", () => {
  const origins = ["https://a.example.com/", "http://localhost:3000/path?x#y", "https://b.example.com:443"];
  const normal = ["https://a.example.com", "http://localhost:3000", "https://b.example.com"];
  assert.deepEqual(parseAllowedOrigins({ allowed_origins: origins }), normal);
  assert.deepEqual(
    parseAllowedOrigins({
      allowedOrigins: origins,
      allowedMethods: [],
      allowedHeaders: [],
      allowCredentials: true,
    }),
    normal,
  );
});

Deno.test("an app in a web view is an origin too", () => {
  const origins = ["capacitor://localhost", "tauri://localhost", "app://x.y/"];
  assert.deepEqual(parseAllowedOrigins({ allowed_origins: origins }), [
    "capacitor://localhost",
    "tauri://localhost",
    "app://x.y",
  ]);
});

Deno.test("anything but a list of at least one origin is refused", () => {
  for (
    const body of [null, undefined, 1, "x", [], {}, { allowed_origins: [] }, {
      allowed_origins: "https://a.b",
    }]
  ) {
    refusal(() => parseAllowedOrigins(body));
  }
  const wrong = [
    "*",
    "",
    "example.com",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:text/html,x",
    "null",
    1,
    null,
    {},
  ];
  for (const origin of wrong) {
    const { message } = refusal(() =>
      parseAllowedOrigins({ allowed_origins: ["https://a.example.com", origin] })
    );
    assert.ok(message.includes(JSON.stringify(origin)), message);
  }
});

Deno.test("a refused origin is quoted at its beginning only", () => {
  assert.ok(
    refusal(() => parseAllowedOrigins({ allowed_origins: ["x".repeat(500_000)] })).message.length < 1000,
  );
});

Deno.test("pausing takes a reason, and resuming needs none", () => {
  assert.deepEqual(parsePause({ paused: true, reason: "spam" }), { paused: true, reason: "spam" });
  assert.deepEqual(parsePause({ paused: true }), { paused: true, reason: null });
  assert.deepEqual(parsePause({ paused: false, reason: null }), { paused: false, reason: null });
  assert.equal(parsePause({ paused: true, reason: "x".repeat(500) }).reason?.length, 500);
});

Deno.test("a pause that says neither true nor false, or too much, is refused", () => {
  const wrong = [null, undefined, [], "x", 1, {}, { paused: "true" }, { paused: 1 }, { paused: null }];
  for (const body of wrong) refusal(() => parsePause(body));
  for (const reason of [1, {}, [], "x".repeat(501)]) refusal(() => parsePause({ paused: true, reason }));
});
