// docs/errors.md, out of core/errors.ts.

import { errorKinds } from "../../core/errors.ts";

export function errorsPage(): string {
  const rows = Object.entries(errorKinds).map(([code, { status, remediation, retryAfter }]) => {
    const wait = retryAfter === undefined ? "–" : `${retryAfter} s`;
    return `| \`${code}\` | ${status} | ${wait} | ${remediation.replaceAll("|", "\\|")} |`;
  });
  return [
    "# Errors",
    "",
    "<!-- Made from core/errors.ts by `deno task docs`; change it there. -->",
    "",
    "Every failure is answered in one form. `remediation` is never empty, and is more exact than the table below where more",
    "is known; `details` is there when a program can use it; `request_id` is also the response's `x-request-id`, and for a",
    "call of a function the id of its line in the log.",
    "",
    "```json",
    JSON.stringify(
      {
        error: {
          code: "RESOURCE_NOT_FOUND",
          message: 'There is no app "app_000000000000"',
          remediation: "Check the app id: GET /apps lists yours.",
          documentation_url: "https://docs.butterbase.ai/errors#resource-not-found",
          request_id: "3f0c7d0e-6f2b-4d0e-9a51-1f1f6f2b4d0e",
        },
      },
      null,
      2,
    ),
    "```",
    "",
    "A code has one status, but for the few places where a deploy or a request says otherwise. `Retry-After` is sent with",
    "failures that pass by themselves.",
    "",
    "| Code | Status | Retry-After | What to do |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
