import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../../core/errors.ts";
import { parseRedirectTarget, withTokens } from "./redirect_target.ts";

const allowed = ["https://app.example.com", "http://localhost:3000"];

Deno.test("parseRedirectTarget() answers a URL of an allowed origin or throws, whatever is written", () => {
  const pieces = fc.constantFrom(
    ...[
      "https:",
      "http:",
      "javascript:",
      "/",
      "//",
      "\\",
      "@",
      ":",
      "#",
      "?",
      ".",
      "\t",
      "\n",
      " ",
      "%2f",
      "%40",
      "%5c",
    ],
    ...["app.example.com", "localhost", "3000", "443", "evil.example", "\u3002", "\uff0f", "[::1]", "0"],
  );
  const text = fc.oneof(
    fc.array(pieces, { maxLength: 10 }).map((all) => all.join("")),
    fc.webUrl(),
    fc.string(),
  );
  let good = 0;
  fc.assert(
    fc.property(
      fc.constantFrom("", "https://app.example.com", "http://localhost:3000"),
      text,
      (start, rest) => {
        try {
          const url = parseRedirectTarget(start + rest, allowed);
          good++;
          assert.match(url, /^(https:\/\/app\.example\.com|http:\/\/localhost:3000)\/[\x21-\x7e]*$/);
          assert.equal(new URL(withTokens(url, tokens)).origin, new URL(url).origin);
        } catch (error) {
          assert.ok(error instanceof AppError && error.code === "VALIDATION_INVALID_INPUT", String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(good > 100, String(good));
});

const tokens = { access_token: "a.b.c", refresh_token: "r", expires_in: 3600, token_type: "Bearer" } as const;

Deno.test("withTokens() keeps the page's query and fragment, and replaces tokens that were in it", () => {
  assert.equal(
    withTokens("https://app.example.com/?access_token=old&tab=1#top", tokens),
    "https://app.example.com/?access_token=a.b.c&tab=1&refresh_token=r&expires_in=3600&token_type=Bearer#top",
  );
});
