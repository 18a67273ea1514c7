// The operator's SMTP server. A password is sent to another machine over TLS only, unless the URL says `?tls=off`.

import { createTransport } from "nodemailer";

export interface OutgoingMail {
  to: string;
  fromName: string;
  subject: string;
  text: string;
}

export interface Mailer {
  /** Hands the mail over to the server. @throws {Error} when it is not taken. */
  send(mail: OutgoingMail): Promise<void>;
  close(): void;
}

/** `url` is `smtp://` or `smtps://`, with user and password if the server wants them. */
export function createSmtpMailer({ url: text, from }: { url: string; from: string }): Mailer {
  const url = new URL(text);
  const secure = url.protocol === "smtps:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const user = decodeURIComponent(url.username);
  const plain = url.searchParams.get("tls") === "off";
  const local = host === "localhost" || host === "::1" || host.startsWith("127.");
  const transport = createTransport({
    pool: true,
    maxConnections: 4,
    host,
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    ignoreTLS: plain,
    requireTLS: !secure && !plain && !local && user !== "",
    ...(user === "" ? {} : { auth: { user, pass: decodeURIComponent(url.password) } }),
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 20_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, fromName, subject, text }) {
      await transport.sendMail({
        from: { name: fromName, address: from },
        // As an object: nothing in it is read as a list of recipients.
        to: { name: "", address: to },
        subject,
        text,
      });
    },
    close: () => transport.close(),
  };
}
