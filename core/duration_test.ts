import assert from "node:assert/strict";
import { durationSeconds } from "./duration.ts";

Deno.test("durationSeconds() reads digits and a unit, and nothing else", () => {
  const good = [["0s", 0], ["90s", 90], ["15m", 900], ["1h", 3600], ["24d", 2_073_600], [
    "007m",
    420,
  ]] as const;
  for (const [text, seconds] of good) assert.equal(durationSeconds(text), seconds);
  for (
    const text of [
      "",
      "s",
      "15",
      "-1s",
      "1.5h",
      "1 h",
      "1H",
      "1w",
      "1h30m",
      " 1h",
      "1h\n",
      "９h",
      "9999999999s",
    ]
  ) {
    assert.equal(durationSeconds(text), null, text);
  }
});
