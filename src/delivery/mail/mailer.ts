import { EventEmitter, once } from 'node:events';
import { createTransport } from 'nodemailer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Logger } from 'pino';
import type { EmailConfig } from '../../config/config.ts';
import { IdentityError } from '../../identity/errors.ts';
import { asciiDomain } from './message.ts';

/** Hands messages to the relay. */
export interface Mailer {
  /**
   * Sends a whole message to one address.
   * @throws IdentityError `email-not-sent`; `email-invalid` for an address this relay cannot take.
   */
  send(to: string, message: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface MailerDependencies {
  readonly logger: Logger;
  /** Called for each message that is tried. */
  readonly onAttempt: () => void;
  /** Milliseconds, where they are not to be the usual ones. */
  readonly timeouts?: Partial<typeof TIMEOUTS>;
  /** PEM; in place of the authorities that the system trusts. */
  readonly trustedCa?: string;
}

const TIMEOUTS = {
  connect: 10_000,
  greeting: 10_000,
  /** Of silence. */
  socket: 30_000,
  /** From the first try to the relay's last word. */
  total: 60_000,
};

const CONNECTIONS = 5;
/** Behind so many the wait would be longer than anyone’s patience. */
const MAX_WAITING = 500;

function connectionOptions(
  config: EmailConfig,
  timeouts: typeof TIMEOUTS,
  trustedCa: string | undefined,
) {
  const { host, port, tlsMode } = config.smtp;
  return {
    host,
    port,
    name: config.hostname,
    secure: tlsMode === 'tls',
    ignoreTLS: tlsMode === 'none',
    requireTLS: tlsMode === 'starttls',
    tls: { minVersion: 'TLSv1.2' as const, ...(trustedCa ? { ca: trustedCa } : {}) },
    connectionTimeout: timeouts.connect,
    greetingTimeout: timeouts.greeting,
    socketTimeout: timeouts.socket,
  };
}

/**
 * The address as it stands in an envelope. Some providers hand out user names with dots where
 * RFC 5321 has none; those it wants in quotes.
 */
function mailbox(typed: string): string {
  const address = asciiDomain(typed);
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  return /^\.|\.\.|\.$/.test(local) ? `"${local}"${address.slice(at)}` : address;
}

/** What of an SMTP failure can be logged: the relay's answer, not what was sent to it. */
function describe(error: unknown): object {
  if (!(error instanceof Error)) return { reason: String(error) };
  const { code, command, responseCode } = error as Error & Record<string, unknown>;
  // A relay may repeat what it does not like: the password, the link with its token.
  if (code === 'EAUTH') return { code, command, responseCode };
  const reason = error.message.replace(/\bhttps?:\S+/gi, '(link)');
  return { code, command, responseCode, reason };
}

/** Lets so many in at a time, in the order of their coming. */
function createGate(places: number) {
  const left = new EventEmitter().setMaxListeners(0);
  let inside = 0;
  return {
    /** Rejects when the signal aborts first. */
    async enter(signal: AbortSignal): Promise<void> {
      while (inside >= places) await once(left, 'left', { signal });
      inside++;
    },
    leave(): void {
      inside--;
      left.emit('left');
    },
  };
}

/** Who sends to whom, as SMTP is told. A type: nodemailer wants an index signature. */
type Envelope = { from: string; to: string[]; use8BitMime: boolean };

export function createMailer(config: EmailConfig, deps: MailerDependencies): Mailer {
  const { logger, onAttempt } = deps;
  const timeouts = { ...TIMEOUTS, ...deps.timeouts };
  const { username, password } = config.smtp;
  const credentials = username === '' ? undefined : { user: username, pass: password };
  const options = connectionOptions(config, timeouts, deps.trustedCa);
  const transport = createTransport({
    ...options,
    pool: true,
    maxConnections: CONNECTIONS,
    // Each connection that was kept may turn out to be dead; a fresh one comes after them.
    maxRequeues: CONNECTIONS,
    ...(credentials ? { auth: credentials } : {}),
    logger: false,
  });
  // The envelope as it is: left to itself, nodemailer parses it once more and rewrites it.
  transport.use('stream', (mail, done) => {
    const envelope = mail.data.envelope as Envelope;
    mail.message.getEnvelope = () => ({ ...envelope });
    done();
  });
  const from = mailbox(config.envelopeFrom);
  const international = createGate(CONNECTIONS);
  let underWay = 0;

  async function sendPooled(
    envelope: Envelope,
    message: Buffer,
    signal: AbortSignal,
  ): Promise<void> {
    await transport.sendMail({ envelope, raw: message, signal });
  }

  /** On a connection of its own, to see first whether the relay can take such an address. */
  async function sendInternational(
    envelope: Envelope,
    message: Buffer,
    signal: AbortSignal,
  ): Promise<void> {
    await international.enter(signal);
    const connection = new SMTPConnection({ ...options, logger: false });
    const giveUp = () => connection.close();
    signal.addEventListener('abort', giveUp);
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (error: unknown) => reject(error);
        connection.once('error', fail);
        connection.once('end', () => fail(new Error('The relay closed the connection')));
        connection.connect((error) => {
          if (error) return fail(error);
          if (!/[ -]SMTPUTF8\b/i.test(String(connection.lastServerResponse))) {
            return fail(
              new IdentityError(
                'email-invalid',
                'Mail cannot be sent to addresses with such characters from here',
              ),
            );
          }
          const deliver = () =>
            connection.send({ ...envelope }, message, (failure) =>
              failure ? fail(failure) : resolve(),
            );
          if (credentials === undefined) return deliver();
          connection.login({ credentials }, (failure) => (failure ? fail(failure) : deliver()));
        });
      });
      connection.quit();
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
      international.leave();
    }
  }

  return {
    async send(typed, message) {
      const to = mailbox(typed);
      onAttempt();
      if (underWay >= MAX_WAITING) {
        logger.error({ waiting: underWay }, 'Mail not sent: too many are waiting for the relay');
        throw new IdentityError('email-not-sent', 'The mail could not be sent; try again later');
      }
      underWay++;
      try {
        const envelope = { from, to: [to], use8BitMime: message.some((octet) => octet > 0x7f) };
        const deliver = /[^\x20-\x7e]/.test(to) ? sendInternational : sendPooled;
        await deliver(envelope, message, AbortSignal.timeout(timeouts.total));
      } catch (error) {
        if (error instanceof IdentityError) throw error;
        logger.error(describe(error), 'Mail not sent');
        throw new IdentityError('email-not-sent', 'The mail could not be sent', { cause: error });
      } finally {
        underWay--;
      }
    },
    close: async () => transport.close(),
  };
}
