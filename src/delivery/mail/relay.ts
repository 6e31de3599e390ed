import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import { UnknownOutcomeError } from '../../model/errors.ts';
import { createConnectionPool } from './connection-pool.ts';

// Not imported: nodemailer would import `node:http`, of which platform/node-http.ts tells the cost.
const Connection: typeof SMTPConnection = createRequire(import.meta.url)(
  'nodemailer/lib/smtp-connection',
);

/** Who sends to whom, as SMTP is told. */
export interface Envelope {
  readonly from: string;
  readonly to: string;
  /** What reports on its delivery are to name it; undefined: none is asked for. */
  readonly reportAs?: string | undefined;
}

/** What a relay says of itself: the extensions of SMTP that it has. */
export interface Extensions {
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
}

/** The relay that mails go through. */
export interface Relay {
  /**
   * Sends a message over a connection that is kept, or a new one.
   * @param compose the message as the relay can take it; what it throws is thrown here
   * @param signal gives up
   * @returns what the relay said as it took the message
   * @throws UnknownOutcomeError when the message was handed over, and no answer came
   */
  send(
    envelope: Envelope,
    compose: (extensions: Extensions) => Buffer,
    signal: AbortSignal,
  ): Promise<string>;
  /** Makes sure, over a connection as for a message, that the relay would listen to one. @throws what keeps from that */
  ask(signal: AbortSignal): Promise<void>;
  /** Connects as for a message, with TLS and login, and leaves again. @throws what keeps from that */
  greet(signal: AbortSignal): Promise<void>;
  /** Closes the connections that are kept; those in use are closed after their message. */
  close(): void;
}

export interface RelayOptions {
  /** Host, TLS and time limits, as nodemailer has them. */
  readonly connection: ConstructorParameters<typeof SMTPConnection>[0];
  readonly credentials: { readonly user: string; readonly pass: string } | undefined;
  /** So many messages are sent at once at the most, and so many connections kept; the relay may take fewer. */
  readonly connections: number;
  /** Told of each line of a dialogue, without what is secret in it, and of no line of a message. */
  readonly onLine?: ((from: 'server' | 'relay', line: string) => void) | undefined;
}

interface KeptConnection {
  readonly smtp: SMTPConnection;
  readonly extensions: Extensions;
  /** Messages that it was used for. */
  used: number;
}

/** Some relays do not like more over one connection. */
const MESSAGES_PER_CONNECTION = 100;

/** One step on a connection: it fails with the connection, and when the signal aborts. */
function step<T = unknown>(
  smtp: SMTPConnection,
  signal: AbortSignal,
  start: (done: (error?: Error | null, value?: T) => void) => void,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown, value?: T) => {
      smtp.off('error', settle).off('end', ended);
      signal.removeEventListener('abort', aborted);
      if (error) reject(error);
      else resolve(value);
    };
    // Why it ended is told right after, where it is known.
    const ended = () => setImmediate(() => settle(new Error('The relay closed the connection')));
    const aborted = () => {
      smtp.close();
      settle(signal.reason);
    };
    smtp.on('error', settle).on('end', ended);
    signal.addEventListener('abort', aborted);
    if (signal.aborted) aborted();
    else start(settle);
  });
}

/** How a relay that can is asked for reports (RFC 3461): without the text of the mail, in which there may be a code. */
const reporting = (id: string, to: string) => ({
  id,
  return: 'HDRS' as const,
  notify: ['FAILURE' as const, 'DELAY' as const],
  // Other characters want a type that few know, and the headers name the address all the same.
  ...(/^[\x21-\x7e]+$/.test(to) && { recipient: `rfc822;${to}` }),
});

/** Whether the relay has refused this message, and the connection is good for another. */
function isRefusal(error: unknown): boolean {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  return (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode !== 421;
}

/** Whether a relay that opened no connection may take the mail over another: it has not said no for good. */
const mayHelp = (error: unknown) => {
  const { responseCode } = error as { responseCode?: unknown };
  return !(typeof responseCode === 'number' && responseCode >= 500);
};

/** Whether the relay has said no, whatever it does after that. */
const isAnswer = (error: unknown) =>
  typeof (error as { responseCode?: unknown }).responseCode === 'number';

/** What nodemailer tells of a dialogue; the library hides what is secret in it. */
function dialogueLogger(onLine: NonNullable<RelayOptions['onLine']>) {
  const from = { client: 'server', server: 'relay' } as const;
  const ignore = () => {};
  const debug = ({ tnx }: { tnx?: string }, text: string) => {
    if (tnx !== 'client' && tnx !== 'server') return;
    for (const line of text.trimEnd().split(/\r?\n/)) onLine(from[tnx], line);
  };
  return {
    ...{ trace: ignore, debug, info: ignore, warn: ignore, error: ignore, fatal: ignore },
    level: ignore,
  };
}

export function createRelay({
  connection: options,
  credentials,
  connections,
  onLine,
}: RelayOptions): Relay {
  const logging =
    onLine === undefined
      ? { logger: false as const }
      : { logger: dialogueLogger(onLine), transactionLog: true };
  const pool = createConnectionPool<KeptConnection>({
    open,
    mayHelp,
    retire: ({ smtp }) => smtp.quit(),
  });

  async function open(signal: AbortSignal): Promise<KeptConnection> {
    const smtp = new Connection({ ...options, ...logging });
    // One that is kept may fail at any time; then it is no longer kept.
    smtp.on('error', () => {});
    try {
      await step(smtp, signal, (done) => smtp.connect(done));
      const greeting = String(smtp.lastServerResponse);
      if (credentials !== undefined && smtp.allowsAuth) {
        await step(smtp, signal, (done) => smtp.login({ credentials }, done));
      }
      const has = (extension: string) => new RegExp(`[ -]${extension}\\b`, 'i').test(greeting);
      const extensions = { eightBitMime: has('8BITMIME'), smtpUtf8: has('SMTPUTF8') };
      const connection = { smtp, extensions, used: 0 };
      smtp.on('end', () => pool.ended(connection));
      return connection;
    } catch (error) {
      smtp.close();
      throw error;
    }
  }

  function release(connection: KeptConnection): void {
    const { smtp } = connection;
    if (smtp.destroyed) return;
    if (connection.used >= MESSAGES_PER_CONNECTION) smtp.quit();
    else pool.giveBack(connection);
  }

  /** Sends it over that connection, which then is kept or closed. */
  async function deliver(
    connection: KeptConnection,
    { from, to, reportAs }: Envelope,
    message: Readable,
    use8BitMime: boolean,
    signal: AbortSignal,
  ): Promise<string> {
    const { smtp } = connection;
    let taken: { readonly response?: string } | undefined;
    connection.used++;
    try {
      // An envelope of its own: nodemailer writes into it.
      const dsn = reportAs === undefined ? undefined : reporting(reportAs, to);
      const envelope = { from, to: [to], use8BitMime, dsn };
      taken = await step(smtp, signal, (done) => smtp.send(envelope, message, done));
    } catch (error) {
      const again = isRefusal(error)
        ? step(smtp, signal, (done) => smtp.reset(done))
        : Promise.reject(error);
      await again.then(
        () => release(connection),
        () => smtp.close(),
      );
      throw error;
    }
    release(connection);
    return String(taken?.response ?? '');
  }

  function composeFor(
    connection: KeptConnection,
    compose: (extensions: Extensions) => Buffer,
  ): Buffer {
    try {
      return compose(connection.extensions);
    } catch (error) {
      release(connection);
      throw error;
    }
  }

  return {
    async send(envelope, compose, signal) {
      for (let tries = 0; ; tries++) {
        const { connection, isOld } = await pool.take(signal, tries >= connections);
        const octets = composeFor(connection, compose);
        const message = Readable.from(octets);
        const is8Bit = octets.some((octet) => octet > 0x7f);
        try {
          return await deliver(connection, envelope, message, is8Bit, signal);
        } catch (error) {
          // One that was kept may turn out to be dead: nothing of the message has gone out over it.
          const wasDead = isOld && !message.readableDidRead && !isRefusal(error);
          if (wasDead && !signal.aborted) continue;
          throw message.readableDidRead && !isAnswer(error)
            ? new UnknownOutcomeError('The relay did not say whether it took the mail', {
                cause: error,
              })
            : error;
        }
      }
    },
    async ask(signal) {
      for (let tries = 0; ; tries++) {
        const { connection, isOld } = await pool.take(signal, tries >= connections);
        try {
          await step(connection.smtp, signal, (done) => connection.smtp.reset(done));
          return release(connection);
        } catch (error) {
          connection.smtp.close();
          if (!isOld || signal.aborted) throw error;
        }
      }
    },
    async greet(signal) {
      const { smtp } = await open(signal);
      smtp.quit();
    },
    close() {
      for (const { smtp } of pool.close()) smtp.quit();
    },
  };
}
