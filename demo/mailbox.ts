import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export interface Mailbox {
  /** Where its SMTP server listens. */
  readonly port: number;
  /** Sends all mails, and each new one, as server-sent events. */
  stream(response: ServerResponse): void;
  close(): Promise<void>;
}

const KEPT = 50;

/** A real SMTP server that keeps what it gets, for everyone to see. */
export async function startMailbox(): Promise<Mailbox> {
  const mails: string[] = [];
  const readers = new Set<ServerResponse>();
  const send = (reader: ServerResponse, mail: string) => reader.write(`data: ${mail}\n\n`);

  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    async onData(stream, session, done) {
      try {
        const mail = await simpleParser(stream);
        const event = JSON.stringify({
          to: session.envelope.rcptTo.map(({ address }) => address).join(', '),
          from: mail.from?.text ?? '',
          subject: mail.subject ?? '',
          text: mail.text ?? '',
          html: mail.html || '',
        });
        mails.push(event);
        if (mails.length > KEPT) mails.shift();
        for (const reader of readers) send(reader, event);
        done();
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    stream(response) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(': here they come\n\n');
      for (const mail of mails) send(response, mail);
      readers.add(response);
      response.on('close', () => readers.delete(response));
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
