import assert from "node:assert/strict";
import { inspect } from "node:util";
import { type Config, ConfigError, configPage, readConfig, Secret } from "./config.ts";

function mistakesOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split("\n  ").slice(1);
  }
  return [];
}

Deno.test("an empty environment gives the settings of the first start", () => {
  const config = readConfig({});
  assert.equal(config.PORT, 4000);
  assert.equal(config.HOST, "127.0.0.1");
  assert.equal(config.BUTTERBASE_DATA_DIR, `${Deno.cwd()}/.butterbase`);
  assert.equal(config.DATABASE_URL, null);
  assert.equal(config.BUTTERBASE_MASTER_KEY, null);
  assert.equal(config.BUTTERBASE_BOOTSTRAP_KEY, null);
  assert.equal(config.BUTTERBASE_PUBLIC_URL, null);
  assert.deepEqual(config.BUTTERBASE_EGRESS_ALLOW, []);
});

Deno.test("an empty variable counts as one that is not set", () => {
  assert.deepEqual(readConfig({ PORT: "", DATABASE_URL: "", BUTTERBASE_EGRESS_DENY: "" }), readConfig({}));
});

Deno.test("all mistakes are reported together, each with its variable and what is allowed", () => {
  const mistakes = mistakesOf({
    PORT: "70000",
    BUTTERBASE_PUBLIC_URL: "ftp://example.com",
    BUTTERBASE_REGION: "EU West",
    BUTTERBASE_LOG_LEVEL: "loud",
    DATABASE_URL: "mysql://root@db",
    BUTTERBASE_MASTER_KEY: "short",
    BUTTERBASE_BOOTSTRAP_KEY: "bb_sk_XYZ",
    BUTTERBASE_WARM_HOSTS: "-1",
    BUTTERBASE_LOG_RETENTION_DAYS: "1.5",
    BUTTERBASE_EGRESS_ALLOW: "10.0.0.0/8, not an address",
    BUTTERBASE_NO_SUCH: "1",
  });
  assert.deepEqual(mistakes, [
    "PORT must be a whole number from 0 to 65535",
    "BUTTERBASE_PUBLIC_URL must be an http or https URL",
    "BUTTERBASE_REGION must be letters, digits and hyphens",
    "BUTTERBASE_LOG_LEVEL must be one of debug, info, warn, error",
    "DATABASE_URL must be a postgres:// URL",
    "BUTTERBASE_MASTER_KEY must be 64 lower-case hexadecimal digits",
    "BUTTERBASE_BOOTSTRAP_KEY must be `bb_sk_` and 40 lower-case hexadecimal digits",
    "BUTTERBASE_WARM_HOSTS must be a whole number from 0 to 64",
    "BUTTERBASE_LOG_RETENTION_DAYS must be a whole number from 1 to 365",
    'BUTTERBASE_EGRESS_ALLOW holds "not an address": each entry must be a host without a scheme, path or credentials, as api.example.com or 203.0.113.0/24',
    "BUTTERBASE_NO_SUCH is not a setting: docs/config.md lists them",
  ]);
});

Deno.test("a mistake in a secret does not print what was given", () => {
  const wrong = { DATABASE_URL: "mysql://root:hunter2@db", BUTTERBASE_MASTER_KEY: "hunter2" };
  assert.ok(!mistakesOf(wrong).join().includes("hunter2"));
});

Deno.test("whole numbers are digits within their bounds, and nothing that only looks like one", () => {
  for (const text of ["0x10", "1e3", " 80", "+80", "80.0", "٨٠", "65536", "NaN", "Infinity"]) {
    assert.deepEqual(mistakesOf({ PORT: text }), ["PORT must be a whole number from 0 to 65535"], text);
  }
  assert.equal(readConfig({ PORT: "0" }).PORT, 0);
  assert.equal(readConfig({ PORT: "65535" }).PORT, 65535);
});

Deno.test("lists are read entry by entry, and empty entries left out", () => {
  const { BUTTERBASE_EGRESS_DENY: deny } = readConfig({
    BUTTERBASE_EGRESS_DENY: " example.com:443,, 192.168.0.0/16 ,[::1]",
  });
  assert.deepEqual(deny, ["example.com:443", "192.168.0.0/16", "[::1]"]);
});

Deno.test("hosts that functions may or may not reach are kept in one spelling", () => {
  const config = readConfig({
    BUTTERBASE_EGRESS_ALLOW: "10.1.2.3/8,LOCALHOST,[0:0::1]",
    BUTTERBASE_EGRESS_DENY: "*.Example.com,10.0.0.7:80",
  });
  assert.deepEqual(config.BUTTERBASE_EGRESS_ALLOW, ["10.0.0.0/8", "localhost", "[::1]"]);
  assert.deepEqual(config.BUTTERBASE_EGRESS_DENY, ["*.example.com", "10.0.0.7:80"]);
});

Deno.test("hosts that could not be opened or closed as they are written are mistakes", () => {
  const mistakes: Record<string, string> = {
    "127.0.0.1:8080": "an address, a range or a name, for all of its ports",
    "*.internal": "an address, a range or a name, for all of its ports",
    "127.1": "an IPv4 address of four decimal numbers, or a range of them, as 203.0.113.0/24",
  };
  for (const [entry, message] of Object.entries(mistakes)) {
    assert.deepEqual(mistakesOf({ BUTTERBASE_EGRESS_ALLOW: entry }), [
      `BUTTERBASE_EGRESS_ALLOW holds "${entry}": each entry must be ${message}`,
    ]);
  }
  assert.deepEqual(mistakesOf({ BUTTERBASE_EGRESS_DENY: "[fc00::/7]" }), [
    'BUTTERBASE_EGRESS_DENY holds "[fc00::/7]": each entry must be a single IPv6 address: ranges of IPv6 cannot be given',
  ]);
});

Deno.test("the public URL loses its last slash, so that paths can follow it", () => {
  assert.equal(
    readConfig({ BUTTERBASE_PUBLIC_URL: "https://api.example.com/" }).BUTTERBASE_PUBLIC_URL,
    "https://api.example.com",
  );
});

Deno.test("the command line tool's variables in the same shell are no mistake", () => {
  assert.deepEqual(
    mistakesOf({ BUTTERBASE_API_KEY: "bb_sk_x", BUTTERBASE_ENDPOINT: "http://x", HOME: "/" }),
    [],
  );
});

Deno.test("a secret prints as [secret] wherever it is logged, joined or serialised", () => {
  const secret = new Secret("hunter2");
  const shown = [
    String(secret),
    `${secret}`,
    "" + secret,
    [secret].join(),
    JSON.stringify({ secret }),
    Deno.inspect({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true, depth: 9 }),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(structuredClone({ ...secret })),
    new Error(`with ${secret}`).message,
  ];
  for (const text of shown) assert.ok(!text.includes("hunter2"), text);
  for (const text of shown.slice(0, 6)) assert.ok(text.includes("[secret]"), text);
  assert.equal(secret.reveal(), "hunter2");
});

Deno.test("a whole configuration prints without its secrets", () => {
  const given = {
    DATABASE_URL: "postgres://root:hunter2@db/x",
    BUTTERBASE_MASTER_KEY: "ab".repeat(32),
    BUTTERBASE_BOOTSTRAP_KEY: `bb_sk_${"cd".repeat(20)}`,
  };
  const config: Config = readConfig(given);
  for (const text of [Deno.inspect(config), JSON.stringify(config), inspect(config)]) {
    for (const secret of Object.values(given)) assert.ok(!text.includes(secret), text);
  }
  assert.equal(config.DATABASE_URL?.reveal(), given.DATABASE_URL);
});

Deno.test("the page of settings has a row for each, and for none that does not exist", () => {
  const rows = [...configPage().matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(rows, Object.keys(readConfig({})));
});
