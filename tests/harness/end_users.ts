// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// End users of a test's app: they sign up, read their mail in the outbox, and come from addresses of their own.

import assert from "node:assert/strict";
import type { TestPlatform } from "./platform.ts";

export const goodPassword = "Correct-horse-7";

export interface Answer {
  status: number;
  body: any;
  headers: Headers;
}

let clients = 0;

/** A public address that no other test comes from, for platforms that trust their proxy. */
export function newIp(): string {
  clients++;
  return `198.${18 + (clients >> 16)}.${clients >> 8 & 255}.${clients & 255}`;
}

export function newEmail(name = "user"): string {
  return `${name}-${crypto.randomUUID()}@example.com`;
}

export class TestUsers {
  readonly #p: TestPlatform;
  readonly app: string;

  constructor(platform: TestPlatform, app: string) {
    this.#p = platform;
    this.app = app;
  }

  /** POST /auth/{app}/{route}, from a client of its own unless `ip` names one. */
  post(
    route: string,
    body: object,
    { ip = newIp(), bearer }: { ip?: string; bearer?: string } = {},
  ): Promise<Answer> {
    return this.#p.json("POST", `/auth/${this.app}/${route}`, {
      key: null,
      body,
      headers: {
        "x-forwarded-for": ip,
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
    });
  }

  get(route: string, bearer?: string): Promise<Answer> {
    return this.#p.json("GET", `/auth/${this.app}/${route}`, {
      key: null,
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    });
  }

  /** Signs up; the user of the answer. */
  async signUp(email = newEmail(), password = goodPassword): Promise<any> {
    const { status, body } = await this.post("signup", { email, password });
    assert.equal(status, 201, JSON.stringify(body));
    return body.user;
  }

  /** Signs up and in; the login's answer. */
  async signedIn(email = newEmail(), password = goodPassword): Promise<any> {
    await this.signUp(email, password);
    const { status, body } = await this.post("login", { email, password });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  async outbox(): Promise<any> {
    const { status, body } = await this.#p.json("GET", `/v1/${this.app}/admin/auth/outbox`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** Mails to the address, newest first. */
  async mails(to: string, kind?: string): Promise<any[]> {
    const { messages } = await this.outbox();
    return messages.filter((mail: any) => mail.to === to && (kind === undefined || mail.kind === kind));
  }

  /** The code of the newest mail of this kind to the address. */
  async code(to: string, kind: string): Promise<string> {
    const [mail] = await this.mails(to, kind);
    const code = /^(\d{6})$/m.exec(mail?.text ?? "")?.[1];
    assert.ok(code !== undefined, `no ${kind} code was mailed to ${to}`);
    return code;
  }
}

/** Another code than the one given. */
export function wrongCode(code: string): string {
  return code === "123456" ? "123457" : "123456";
}
