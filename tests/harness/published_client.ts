// deno-lint-ignore-file no-explicit-any -- what a route answers is what a test looks at.
// Sends what the published SDK sends, byte for byte where it matters, and reads answers as it does: the bearer on every
// call, also where none is needed, one value for each filter column, arrays joined unquoted, errors by their three keys.

export interface Result {
  data: any;
  error: ClientError | null;
}

export interface ClientError {
  /** Name of the class that the SDK would make of it. */
  kind: "AuthError" | "ValidationError" | "NotFoundError" | "QuotaError" | "NetworkError" | "ButterbaseError";
  code: string;
  status: number;
  message: string;
  remediation: string | undefined;
}

export class PublishedClient {
  readonly #api: string;
  readonly #app: string;
  readonly #anonKey: string | undefined;
  session: { access_token: string; refresh_token: string; user?: any } | null = null;

  /** `anonKey` may be a platform key: that is how the SDK is given one. */
  constructor({ apiUrl, appId, anonKey }: { apiUrl: string; appId: string; anonKey?: string }) {
    this.#api = apiUrl;
    this.#app = appId;
    this.#anonKey = anonKey;
  }

  async request(method: string, path: string, body?: unknown): Promise<Result> {
    const bearer = this.session?.access_token ?? this.#anonKey;
    const response = await fetch(`${this.#api}${path}`, {
      method,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = text === "" ? null : JSON.parse(text);
    return response.ok
      ? { data: parsed, error: null }
      : { data: null, error: readError(response.status, parsed) };
  }

  admin(method: string, path: string, body?: unknown): Promise<Result> {
    return this.request(method, `/v1/${this.#app}/${path}`, body);
  }

  #auth(route: string, body: object): Promise<Result> {
    return this.request("POST", `/auth/${this.#app}/${route}`, body);
  }

  signUp(account: { email: string; password: string; metadata?: object }): Promise<Result> {
    return this.#auth("signup", account);
  }

  async signIn(account: { email: string; password: string }): Promise<Result> {
    return this.#keep(await this.#auth("login", account));
  }

  async refreshSession(): Promise<Result> {
    return this.#keep(await this.#auth("refresh", { refresh_token: this.session?.refresh_token }));
  }

  getUser(): Promise<Result> {
    return this.request("GET", `/auth/${this.#app}/me`);
  }

  /** The SDK forgets its session whatever the server says. */
  async signOut(): Promise<Result> {
    const result = await this.#auth("logout", {});
    this.session = null;
    return result;
  }

  forgotPassword(email: string): Promise<Result> {
    return this.#auth("forgot-password", { email });
  }

  resetPassword(token: string, newPassword: string): Promise<Result> {
    return this.#auth("reset-password", { token, newPassword });
  }

  invoke(name: string, body?: object): Promise<Result> {
    return this.request("POST", `/v1/${this.#app}/fn/${name}`, body);
  }

  from(table: string): PublishedQuery {
    return new PublishedQuery(this, `/v1/${this.#app}/${table}`);
  }

  #keep(result: Result): Result {
    if (result.error === null) this.session = result.data;
    return result;
  }
}

export class PublishedQuery {
  readonly #client: PublishedClient;
  readonly #path: string;
  readonly #params: [string, string][] = [];

  constructor(client: PublishedClient, path: string) {
    this.#client = client;
    this.#path = path;
  }

  /** A second filter on a column takes the place of the first. */
  #set(name: string, value: string): this {
    const at = this.#params.findIndex(([taken]) => taken === name);
    if (at === -1) this.#params.push([name, value]);
    else this.#params[at] = [name, value];
    return this;
  }

  filter(column: string, operator: string, value: unknown): this {
    return this.#set(column, `${operator}.${value}`);
  }

  in(column: string, values: unknown[]): this {
    return this.#set(column, `in.(${values.join(",")})`);
  }

  select(columns: string): this {
    return this.#set("select", columns);
  }

  order(column: string, direction: "asc" | "desc" = "asc"): this {
    const before = this.#params.find(([name]) => name === "order")?.[1];
    return this.#set("order", `${before === undefined ? "" : `${before},`}${column}.${direction}`);
  }

  range(from: number, to: number): this {
    return this.#set("limit", String(to - from + 1)).#set("offset", String(from));
  }

  read(): Promise<Result> {
    return this.#client.request("GET", this.#url());
  }

  /** Asks for two rows, and looks itself whether there is one. */
  async single(): Promise<any> {
    const { data } = await this.#set("limit", "2").read();
    if (data?.length !== 1) throw new Error(`${data?.length} rows`);
    return data[0];
  }

  insert(rows: object): Promise<Result> {
    return this.#client.request("POST", this.#url(), rows);
  }

  update(values: object): Promise<Result> {
    return this.#client.request("PATCH", this.#target(), values);
  }

  delete(): Promise<Result> {
    return this.#client.request("DELETE", this.#target());
  }

  #url(): string {
    const query = new URLSearchParams(this.#params).toString();
    return query === "" ? this.#path : `${this.#path}?${query}`;
  }

  /** By path where `id` alone is compared, else by the query. */
  #target(): string {
    const [only, second] = this.#params;
    const byId = second === undefined && only?.[0] === "id" && only[1].startsWith("eq.");
    return byId ? `${this.#path}/${only[1].slice("eq.".length)}` : this.#url();
  }
}

function readError(status: number, body: any): ClientError {
  const { code, message, remediation } = body?.error ?? {};
  const known = [code, message, remediation].every((part) => part !== undefined);
  const shown = known ? code : `HTTP_${status}`;
  return {
    kind: kindOf(shown, status),
    code: shown,
    status,
    message: known ? message : String(body?.error ?? body?.message),
    remediation,
  };
}

const byPrefix = [
  ["AUTH_", "AuthError"],
  ["VALIDATION_", "ValidationError"],
  ["RESOURCE_", "NotFoundError"],
  ["QUOTA_", "QuotaError"],
  ["EXTERNAL_", "NetworkError"],
] as const;

function kindOf(code: string, status: number): ClientError["kind"] {
  const known = byPrefix.find(([prefix]) => code.startsWith(prefix))?.[1];
  if (known !== undefined) return known;
  if (status === 401 || status === 403) return "AuthError";
  if (status === 400 || status === 422) return "ValidationError";
  if (status === 404) return "NotFoundError";
  if (status === 429) return "QuotaError";
  return [0, 502, 503].includes(status) ? "NetworkError" : "ButterbaseError";
}
