import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { SMTPServer } from 'smtp-server';

/** A mail relay that can be down, or slow, and knows for each address the codes that were mailed to it. */
export interface SoakRelay {
  readonly port: number;
  /** The code in the newest mail to that address; undefined where none came. */
  codeOf(address: string): string | undefined;
  hasMail(address: string): boolean;
  readonly mails: number;
  down(): Promise<void>;
  /** @param pause milliseconds before it takes a mail */
  up(pause?: number): Promise<void>;
}

export async function startSoakRelay(): Promise<SoakRelay> {
  const codes = new Map<string, string | undefined>();
  let server: SMTPServer | undefined;
  let pause = 0;
  let port = 0;
  let mails = 0;

  async function take(
    stream: AsyncIterable<unknown>,
    recipients: readonly { address: string }[],
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    await wait(pause);
    const text = Buffer.concat(chunks).toString('latin1').replaceAll('=\r\n', '');
    const code = /token=(?:3D)?([0-9a-zA-Z]+)/.exec(text)?.[1];
    for (const { address } of recipients) codes.set(address, code);
    mails++;
  }

  async function listen(): Promise<void> {
    server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      disableReverseLookup: true,
      closeTimeout: 100,
      logger: false,
      onData(stream, session, done) {
        take(stream, session.envelope.rcptTo).then(() => done(), done);
      },
    });
    server.on('error', () => {});
    server.listen(port, '127.0.0.1');
    await once(server.server, 'listening');
    const address = server.server.address();
    port = typeof address === 'object' && address ? address.port : 0;
  }

  await listen();
  return {
    port,
    codeOf: (address) => codes.get(address),
    hasMail: (address) => codes.has(address),
    get mails() {
      return mails;
    },
    async down() {
      const closing = server;
      server = undefined;
      await new Promise<void>((resolve) => closing?.close(resolve));
    },
    async up(slowness = 0) {
      pause = slowness;
      if (server === undefined) await listen();
    },
  };
}
