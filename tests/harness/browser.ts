// The part of a browser that a sign-in needs: cookies with their paths and sites, and redirects, one at a time.

interface Cookie {
  name: string;
  value: string;
  host: string;
  path: string;
  sameSite: string;
}

export class Browser {
  readonly cookies: Cookie[] = [];

  /** Goes to a page, as by a link; the redirect is the caller's to follow. */
  async go(url: string): Promise<Response> {
    return await this.#send(url, { method: "GET" }, () => true);
  }

  /** Submits a form of another site's page: `Lax` cookies stay behind. */
  async submitFromElsewhere(url: string, form: string): Promise<Response> {
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      origin: "https://elsewhere.example",
    };
    return await this.#send(
      url,
      { method: "POST", body: form, headers },
      ({ sameSite }) => sameSite === "None",
    );
  }

  async #send(url: string, init: RequestInit, goesAlong: (cookie: Cookie) => boolean): Promise<Response> {
    const { host, pathname } = new URL(url);
    const sent = this.cookies.filter((cookie) =>
      cookie.host === host && pathname.startsWith(cookie.path) && goesAlong(cookie)
    );
    const headers = new Headers(init.headers);
    if (sent.length > 0) headers.set("cookie", sent.map(({ name, value }) => `${name}=${value}`).join("; "));
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) this.#keep(line, host);
    return response;
  }

  #keep(line: string, host: string): void {
    const [pair = "", ...attributes] = line.split("; ");
    const [name = "", value = ""] = pair.split("=");
    const attribute = (wanted: string) =>
      attributes.find((each) => each.startsWith(`${wanted}=`))?.slice(wanted.length + 1);
    const cookie = {
      name,
      value,
      host,
      path: attribute("Path") ?? "/",
      sameSite: attribute("SameSite") ?? "Lax",
    };
    this.cookies.splice(
      0,
      Infinity,
      ...this.cookies.filter((each) => each.name !== name || each.host !== host),
    );
    if (attribute("Max-Age") !== "0") this.cookies.push(cookie);
  }
}
