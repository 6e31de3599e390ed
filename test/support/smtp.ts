import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** A mail as it arrived. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** The message octet by octet, dots unstuffed. */
  readonly raw: Buffer;
  readonly parsed: ParsedMail;
  /** Whether the sender asked for SMTPUTF8. */
  readonly smtputf8: boolean;
  /** `8bitmime` where the sender said so. */
  readonly body: string;
  readonly secure: boolean;
  readonly user: string | undefined;
}

export interface TestRelay {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** The next mail that nobody took yet. */
  nextMail(): Promise<ReceivedMail>;
  /** From now on recipients are refused with this SMTP status; undefined: accepted. */
  refuse(status: number | undefined): void;
  /** Connections opened so far. */
  readonly connections: number;
  /** From now on the system refuses connections; those that are open stay. */
  refuseConnections(): void;
  /** Breaks every open connection. */
  dropConnections(): void;
  close(): Promise<void>;
}

/** A real SMTP server on a free port. */
export async function startSmtpServer(options: SMTPServerOptions = {}): Promise<TestRelay> {
  const mails: ReceivedMail[] = [];
  const untaken: ReceivedMail[] = [];
  const waiting: ((mail: ReceivedMail) => void)[] = [];
  let refused: number | undefined;
  let connections = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: options.secure || options.key ? [] : ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 100,
    logger: false,
    onConnect(_session, done) {
      connections++;
      done();
    },
    onRcptTo(_address, _session, done) {
      if (refused === undefined) return done();
      done(Object.assign(new Error('No such user'), { responseCode: refused }));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const raw = Buffer.concat(chunks);
        const { mailFrom, rcptTo, bodyType } = session.envelope;
        simpleParser(raw).then((parsed) => {
          const mail = {
            from: mailFrom ? mailFrom.address : '',
            to: rcptTo.map(({ address }) => address),
            raw,
            parsed,
            smtputf8: mailFrom
              ? Boolean((mailFrom.args as Record<string, unknown>)?.['SMTPUTF8'])
              : false,
            body: bodyType ?? '',
            secure: session.secure,
            user: session.user,
          };
          mails.push(mail);
          const next = waiting.shift();
          if (next) next(mail);
          else untaken.push(mail);
          done();
        }, done);
      });
    },
    ...options,
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    mails,
    get connections() {
      return connections;
    },
    refuse: (status) => {
      refused = status;
    },
    refuseConnections: () => void server.server.close(),
    dropConnections: () => {
      for (const connection of server.connections) {
        (connection as unknown as { _socket: { destroy(): void } })._socket.destroy();
      }
    },
    nextMail: () =>
      new Promise((resolve) => {
        const mail = untaken.shift();
        if (mail) resolve(mail);
        else waiting.push(resolve);
      }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A relay by hand: what it answers to each line. Empty: nothing; undefined: it hangs up. */
export async function startScriptedRelay(
  answer: (line: string, connection: number) => string | undefined,
): Promise<{ readonly port: number; close(): void }> {
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections++;
    socket.on('error', () => {});
    socket.write('220 here\r\n');
    let inData = false;
    const lines = createInterface(socket).on('error', () => {});
    lines.on('line', (line) => {
      if (inData && line !== '.') return;
      const text = answer(line, connection);
      inData = text?.startsWith('354') ?? false;
      if (text === undefined) socket.resetAndDestroy();
      else if (text !== '') socket.write(`${text}\r\n`);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () => server.close(),
  };
}
