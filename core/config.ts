// The settings of a server, read from the environment once. Every mistake is reported together, before anything starts;
// the same table makes docs/config.md (`deno task docs`).

import { isAbsolute, resolve } from "node:path";
import { type EgressRule, parseEgressRule } from "./egress/rule.ts";
import { type QuotaLimits, type QuotaName, quotas } from "./quotas.ts";

/** A value that must not be printed: it shows as `[secret]` wherever it is logged, joined or serialised. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The value itself, for the one place that needs it. */
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [Symbol.for("Deno.customInspect")](): string {
    return "[secret]";
  }
}

interface Setting<Value> {
  readonly about: string;
  /** As it stands in docs/config.md when nothing is set. */
  readonly otherwise: string;
  /** Turns the text into the value; throws an Error whose message says what is allowed. */
  readonly parse: (text: string | undefined) => Value;
}

function setting<Value>(
  about: string,
  otherwise: string,
  parse: (text: string | undefined) => Value,
): Setting<Value> {
  return { about, otherwise, parse };
}

function wholeNumber(
  about: string,
  { otherwise, min, max }: { otherwise: number; min: number; max: number },
): Setting<number> {
  return setting(`${about} (${min} to ${max})`, String(otherwise), (text) => {
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new Error(`must be a whole number from ${min} to ${max}`);
    }
    return value;
  });
}

function text(about: string, otherwise: string): Setting<string> {
  return setting(about, otherwise, (value) => value ?? otherwise);
}

function choice<const Word extends string>(
  about: string,
  words: readonly Word[],
  otherwise: Word,
): Setting<Word> {
  return setting(`${about} (${words.map((word) => `\`${word}\``).join(", ")})`, otherwise, (value) => {
    if (value === undefined) return otherwise;
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new Error(`must be one of ${words.join(", ")}`);
    return word;
  });
}

function secret(about: string, form: RegExp, formWords: string): Setting<Secret | null> {
  return setting(about, "–", (value) => {
    if (value === undefined) return null;
    if (!form.test(value)) throw new Error(`must be ${formWords}`);
    return new Secret(value);
  });
}

function egressList(
  about: string,
  { refuse }: { refuse: (rule: EgressRule) => string | null },
): Setting<string[]> {
  return setting(about, "–", (value) => {
    const entries = (value ?? "").split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
    return entries.map((entry) => {
      const wrong = (why: string) => new Error(`holds "${entry}": each entry must be ${why}`);
      try {
        const rule = parseEgressRule(entry);
        const why = refuse(rule);
        if (why === null) return rule.text;
        throw new Error(why);
      } catch (error) {
        throw wrong((error as Error).message);
      }
    });
  });
}

type QuotaSettings = { [Name in QuotaName as (typeof quotas)[Name]["setting"]]: Setting<number> };

const quotaSettings = Object.fromEntries(
  Object.values(quotas).map((quota) => [
    quota.setting,
    wholeNumber(`${capitalised(quota.what)} that one ${quota.of} may have`, quota),
  ]),
) as QuotaSettings;

function capitalised(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Every setting by its environment variable. The keys are the public names; docs/config.md is made from this. */
const settings = {
  PORT: wholeNumber("TCP port of the HTTP server; 0 takes a free one", {
    otherwise: 4000,
    min: 0,
    max: 65535,
  }),
  HOST: text("Address to listen on; `0.0.0.0` for every interface", "127.0.0.1"),
  BUTTERBASE_PUBLIC_URL: setting(
    "Origin that clients reach the server by, used in the URLs it hands out",
    "http://{HOST}:{PORT}",
    (value) => {
      if (value === undefined) return null;
      const url = URL.parse(value);
      if (url === null || !/^https?:$/.test(url.protocol)) throw new Error("must be an http or https URL");
      return value.replace(/\/+$/, "");
    },
  ),
  BUTTERBASE_DATA_DIR: setting(
    "Folder for the embedded database, objects, the master key and caches",
    "./.butterbase",
    (value) => isAbsolute(value ?? "") ? value as string : resolve(value ?? "./.butterbase"),
  ),
  BUTTERBASE_REGION: setting("Region that this node says it is in", "local", (value) => {
    if (value !== undefined && !/^[a-z0-9-]{1,32}$/.test(value)) {
      throw new Error("must be letters, digits and hyphens");
    }
    return value ?? "local";
  }),
  BUTTERBASE_LOG_LEVEL: choice(
    "Least level of the server's own log",
    ["debug", "info", "warn", "error"],
    "warn",
  ),
  DATABASE_URL: secret(
    "PostgreSQL server to use instead of the embedded one; PostgreSQL 15 or later; its role must be a superuser",
    /^postgres(ql)?:\/\//,
    "a postgres:// URL",
  ),
  BUTTERBASE_CONTROL_CONNECTIONS: wholeNumber("Connections to the control database", {
    otherwise: 8,
    min: 2,
    max: 200,
  }),
  BUTTERBASE_APP_CONNECTIONS: wholeNumber("Connections to all app databases together", {
    otherwise: 64,
    min: 4,
    max: 5000,
  }),
  BUTTERBASE_MASTER_KEY: secret(
    "Key that seals env values and other secrets; made and kept in the data folder when not set",
    /^[0-9a-f]{64}$/,
    "64 lower-case hexadecimal digits",
  ),
  BUTTERBASE_BOOTSTRAP_KEY: secret(
    "Platform key that the first start gives the owner, instead of a random one",
    /^bb_sk_[0-9a-f]{40}$/,
    "`bb_sk_` and 40 lower-case hexadecimal digits",
  ),
  BUTTERBASE_SAMPLE_APP: choice("Whether the first start makes the app `hello`", ["on", "off"], "on"),
  BUTTERBASE_TRUST_PROXY: choice(
    "Whether `x-forwarded-for` of the proxy in front is believed: its last address, which the proxy has added",
    ["on", "off"],
    "off",
  ),
  BUTTERBASE_SMTP_URL: secret(
    "SMTP server for mails to apps' end users, as `smtp://user:password@host:587` or `smtps://…`; without one the mails wait in an outbox that the app's owner reads",
    /^smtps?:\/\/[^\s/]+\/?(\?[^\s]*)?$/,
    "an smtp:// or smtps:// URL",
  ),
  BUTTERBASE_MAIL_FROM: setting("Address that these mails come from", "no-reply@localhost", (value) => {
    if (value !== undefined && !/^[^\s@<>,;:"()]+@[^\s@<>,;:"()]+$/.test(value)) {
      throw new Error("must be one address");
    }
    return value ?? "no-reply@localhost";
  }),
  BUTTERBASE_MAIL_LOG: choice(
    "What the log says of a mail that waits in the outbox; `text` prints it, code included: for development",
    ["notice", "text"],
    "notice",
  ),
  BUTTERBASE_AUTH_LIMITS: choice(
    "Whether sign-up, sign-in and the like are limited for each client and account; `off` is for tests of apps",
    ["on", "off"],
    "on",
  ),
  BUTTERBASE_WARM_HOSTS: wholeNumber("Isolate hosts kept started and empty", {
    otherwise: 2,
    min: 0,
    max: 64,
  }),
  BUTTERBASE_MAX_HOSTS: wholeNumber("Isolate hosts at once on this node", {
    otherwise: 200,
    min: 1,
    max: 10_000,
  }),
  BUTTERBASE_MAX_HOSTS_PER_VERSION: wholeNumber("Isolate hosts at once for one function", {
    otherwise: 4,
    min: 1,
    max: 64,
  }),
  BUTTERBASE_HOST_CONCURRENCY: wholeNumber("Invocations at once in one isolate host", {
    otherwise: 64,
    min: 1,
    max: 1000,
  }),
  BUTTERBASE_QUEUE_LENGTH: wholeNumber("Invocations of one function that may wait for a host", {
    otherwise: 256,
    min: 0,
    max: 100_000,
  }),
  BUTTERBASE_REST_ROWS: wholeNumber("Rows that one answer of the REST API may hold, or one insert may send", {
    otherwise: 10_000,
    min: 1,
    max: 1_000_000,
  }),
  BUTTERBASE_REST_BYTES: wholeNumber("Bytes that one answer of the REST API may hold", {
    otherwise: 16 * 1024 * 1024,
    min: 1024,
    // What a result of the database may hold at most.
    max: 60 * 1024 * 1024,
  }),
  BUTTERBASE_REST_SECONDS: wholeNumber("Seconds that a statement of the REST API may run", {
    otherwise: 15,
    min: 1,
    max: 600,
  }),
  BUTTERBASE_CPU_MS: wholeNumber(
    "CPU ms that an isolate host may use for each second that an invocation of it is open; 0 sets no limit",
    { otherwise: 0, min: 0, max: 64_000 },
  ),
  BUTTERBASE_HOST_IDLE_SECONDS: wholeNumber("Seconds without a call after which a function's host ends", {
    otherwise: 300,
    min: 1,
    max: 86_400,
  }),
  BUTTERBASE_STREAM_IDLE_SECONDS: wholeNumber("Seconds that a streamed answer may stay silent", {
    otherwise: 60,
    min: 1,
    max: 3600,
  }),
  BUTTERBASE_STREAM_MAX_SECONDS: wholeNumber("Seconds that a streamed answer may last", {
    otherwise: 900,
    min: 1,
    max: 86_400,
  }),
  ...quotaSettings,
  BUTTERBASE_DRAIN_SECONDS: wholeNumber("Seconds that running requests are given on SIGTERM", {
    otherwise: 30,
    min: 0,
    max: 600,
  }),
  BUTTERBASE_LOG_RETENTION_DAYS: wholeNumber("Days that invocation logs are kept", {
    otherwise: 7,
    min: 1,
    max: 365,
  }),
  BUTTERBASE_EGRESS_ALLOW: egressList(
    "IPv4 addresses and ranges that functions may reach although they are private or the platform's own, and names that are denied by name, separated by commas",
    {
      refuse: ({ kind, port }) =>
        kind === "domain" || port !== null ? "an address, a range or a name, for all of its ports" : null,
    },
  ),
  BUTTERBASE_EGRESS_DENY: egressList(
    "Further hosts that functions may not reach, separated by commas: names, `*.` and a domain, IPv4 addresses and ranges, `[IPv6]`, each with a port if wanted",
    { refuse: () => null },
  ),
  BUTTERBASE_EGRESS_IPV6: choice(
    "Whether functions may use IPv6; with `allow`, private IPv6 ranges are not refused: for machines without IPv4",
    ["deny", "allow"],
    "deny",
  ),
} satisfies Record<string, Setting<unknown>>;

type SettingName = keyof typeof settings;
type Value<Name extends SettingName> = ReturnType<(typeof settings)[Name]["parse"]>;

/** All settings by their environment names, parsed. */
export type Config = { readonly [Name in SettingName]: Value<Name> };

/** Every mistake in the environment, one a line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads all settings from `env`.
 * @throws {ConfigError} naming every variable that is wrong, and every `BUTTERBASE_` variable that does not exist.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(settings) as SettingName[]) {
    try {
      values[name] = settings[name].parse(env[name] === "" ? undefined : env[name]);
    } catch (error) {
      mistakes.push(`${name} ${(error as Error).message}`);
    }
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith("BUTTERBASE_") && !(name in settings) && !clientSettings.has(name)) {
      mistakes.push(`${name} is not a setting: docs/config.md lists them`);
    }
  }
  if (mistakes.length > 0) throw new ConfigError(`The environment has mistakes:\n  ${mistakes.join("\n  ")}`);
  return values as unknown as Config;
}

/** The limits of functions, out of all settings. */
export function quotaLimits(config: Config): QuotaLimits {
  const limits = Object.entries(quotas).map(([name, { setting }]) => [name, config[setting]]);
  return Object.fromEntries(limits) as QuotaLimits;
}

/** Read by the command line tool, and often set in the same shell. */
const clientSettings = new Set(["BUTTERBASE_API_KEY", "BUTTERBASE_ENDPOINT"]);

/** `docs/config.md`, whole. */
export function configPage(): string {
  const rows = Object.entries(settings).map(([name, { about, otherwise }]) =>
    `| \`${name}\` | ${otherwise} | ${about} |`
  );
  return [
    "# Settings",
    "",
    "<!-- Made from core/config.ts by `deno task docs`; change it there. -->",
    "",
    "All settings are environment variables; none is needed. Mistakes are reported together, and the server does not start.",
    "",
    "| Variable | Default | Meaning |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
