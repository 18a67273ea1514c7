// An SMTP server of a test's own, on loopback: takes mails and keeps them, or refuses them.

export interface ReceivedMail {
  from: string;
  to: string[];
  /** Headers and body, with quoted-printable undone. */
  data: string;
}

export interface SmtpServer extends AsyncDisposable {
  readonly port: number;
  readonly mails: ReceivedMail[];
  /** What RCPT is answered with instead of yes. */
  refuse: string | null;
}

/** With a login, a mail is taken only from who has sent it. */
export function startSmtpServer(login?: { user: string; password: string }): SmtpServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const running: Promise<void>[] = [];
  const server: SmtpServer = {
    port: (listener.addr as Deno.NetAddr).port,
    mails: [],
    refuse: null,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) connection.close();
      await Promise.all(running);
    },
  };
  running.push(
    (async () => {
      for await (const connection of listener) {
        open.add(connection);
        running.push(
          serve(connection, server, login).catch(() => {}).finally(() => {
            if (open.delete(connection)) {
              try {
                connection.close();
              } catch {
                // The other side was quicker.
              }
            }
          }),
        );
      }
    })().catch(() => {}),
  );
  return server;
}

async function serve(
  connection: Deno.Conn,
  server: SmtpServer,
  login: { user: string; password: string } | undefined,
): Promise<void> {
  const say = (line: string) => connection.write(new TextEncoder().encode(`${line}\r\n`));
  let signedIn = login === undefined;
  let mail: ReceivedMail = { from: "", to: [], data: "" };
  let inData = false;
  let rest = "";
  await say("220 test ESMTP");
  for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
    rest += chunk;
    const lines = rest.split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (inData) {
        if (line !== ".") {
          mail.data += `${line.replace(/^\./, "")}\n`;
          continue;
        }
        inData = false;
        mail.data = mail.data.replace(/=\n/g, "").replace(/=3D/g, "=");
        server.mails.push(mail);
        mail = { from: "", to: [], data: "" };
        await say("250 taken");
        continue;
      }
      const [verb = "", argument = ""] = [line.slice(0, 4).toUpperCase(), line.slice(4)];
      const address = /<([^>]*)>/.exec(argument)?.[1] ?? "";
      if (verb === "EHLO") await say(login === undefined ? "250 test" : "250-test\r\n250 AUTH PLAIN");
      else if (verb === "AUTH") {
        const given = atob(argument.trim().split(" ")[1] ?? "");
        signedIn = given === `\0${login?.user}\0${login?.password}`;
        await say(signedIn ? "235 welcome" : "535 no");
      } else if (verb === "MAIL") {
        mail.from = address;
        await say(signedIn ? "250 go on" : "530 sign in first");
      } else if (verb === "RCPT") {
        if (server.refuse === null) mail.to.push(address);
        await say(server.refuse ?? "250 go on");
      } else if (verb === "DATA") {
        inData = true;
        await say("354 go on");
      } else if (verb === "QUIT") {
        await say("221 bye");
        return;
      } else {
        if (verb === "RSET") mail = { from: "", to: [], data: "" };
        await say("250 ok");
      }
    }
  }
}
